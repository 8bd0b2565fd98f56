// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../core/errors.ts";
import type { BidirectionalStream, ByteReader, ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";
import { PushQueue } from "./push-queue.ts";

/** A direction that is read: a stream or, in place of it and at less cost, a reader without one. */
export interface ReceiveHalf {
  readonly readable: ReadableStream<Uint8Array>;
  lockReader?(): ByteReader;
}

/** A direction that is written. */
export interface SendHalf {
  readonly writable: WritableStream<Uint8Array>;
  lockWriter?(): ByteWriter;
}

function lockReader(half: ReceiveHalf): ByteReader {
  return half.lockReader?.() ?? half.readable.getReader();
}

export function lockWriter(half: SendHalf): ByteWriter {
  return half.lockWriter?.() ?? half.writable.getWriter();
}

/** Two directions as one stream, whose web streams are made when they are looked at. */
export function bidirectional(receive: ReceiveHalf, send: SendHalf): BidirectionalStream {
  return {
    get readable() {
      return receive.readable;
    },
    get writable() {
      return send.writable;
    },
    lock: () => ({ reader: lockReader(receive), writer: lockWriter(send) }),
  };
}

/** The streams that the other end of a connection opens, in the forms that a `Connection` gives them out in. */
export class IncomingHalves {
  readonly #bidirectional = new PushQueue<BidirectionalStream>(({ readable, writable }) => {
    readable.cancel(nobody()).catch(ignore);
    writable.abort(nobody()).catch(ignore);
  });
  readonly #unidirectional = new PushQueue<ReceiveHalf>(({ readable }) => {
    readable.cancel(nobody()).catch(ignore);
  });

  get bidirectionalStreams(): ReadableStream<BidirectionalStream> {
    return this.#bidirectional.readable((stream) => stream);
  }

  /** This or {@link readers}, whichever is looked at first. */
  get unidirectionalStreams(): ReadableStream<ReadableStream<Uint8Array>> {
    return this.#unidirectional.readable(({ readable }) => readable);
  }

  get readers(): ReadableStream<ByteReader> {
    return this.#unidirectional.readable(lockReader);
  }

  /** `send` is absent when the stream is one-way. */
  push(receive: ReceiveHalf, send: SendHalf | undefined): void {
    if (send === undefined) this.#unidirectional.push(receive);
    else this.#bidirectional.push(bidirectional(receive, send));
  }

  /** The connection has ended, with an error or without. What came before it can still be read if there is none. */
  end(error?: ConecError): void {
    for (const queue of [this.#bidirectional, this.#unidirectional]) {
      if (error === undefined) queue.close();
      else queue.fail(error);
    }
  }
}

function nobody(): ConecError {
  return new ConecError("refused", "Nobody takes streams", { source: "stream" });
}
