// SPDX-License-Identifier: Apache-2.0
import type { ReceiveStream } from "../receive-stream.ts";
import type { SendStream } from "../send-stream.ts";
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";
import { encodeFrame, frameTypes, requestFrameHandling } from "./frames.ts";
import { decodeFieldSection, encodeFieldSection } from "./qpack.ts";
import type { Field } from "./qpack.ts";
import { parseRequest } from "./request.ts";
import type { RequestHead } from "./request.ts";
import type { StreamHead } from "./stream-head.ts";
import { TlvParser } from "./tlv-parser.ts";
import type { TlvEvent } from "./tlv-parser.ts";

/** One request and its response (RFC 9114, section 4.1). */
export class RequestStream {
  readonly id: number;
  readonly #source: StreamHead;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #events: AsyncGenerator<TlvEvent, void>;
  #hasHeaders = false;

  constructor(receive: ReceiveStream, send: SendStream, source: StreamHead) {
    this.id = receive.id;
    this.#source = source;
    this.#writer = send.writable.getWriter();
    this.#writer.closed.catch(ignore);
    this.#events = this.#parse();
  }

  /**
   * What is asked for. To be read first.
   *
   * @throws Http3Error, or what the stream broke with
   */
  async readHead(): Promise<RequestHead> {
    const { value: event } = await this.#events.next();
    if (!event) throw new Http3Error(http3ErrorCodes.H3_REQUEST_INCOMPLETE, "a request without a header", "stream");
    this.#hasHeaders = true;
    return parseRequest(decodeFieldSection(event.payload));
  }

  /** The content of DATA frames as it comes. Throws as {@link readHead}. */
  async *body(): AsyncGenerator<Uint8Array, void> {
    for await (const event of this.#events) yield event.payload;
  }

  /** Sends the response's header; what is asked on the other direction goes on. */
  respond(status: number, fields: readonly Field[] = []): void {
    const section = encodeFieldSection([[":status", String(status)], ...fields]);
    this.#write(encodeFrame(frameTypes.headers, section));
  }

  /** Answers with a header alone, and reads no more. */
  respondAndEnd(status: number): void {
    this.respond(status);
    this.end();
    void this.#source.discard(new Http3Error(http3ErrorCodes.H3_NO_ERROR, "not wanted", "stream"));
  }

  send(content: Uint8Array): void {
    this.#write(encodeFrame(frameTypes.data, content));
  }

  /** The end of the response; it travels with what was sent last in this turn. */
  end(): void {
    this.#writer.close().catch(ignore);
  }

  reset(error: Http3Error): void {
    this.#writer.abort(error).catch(ignore);
    this.#source.cancel(error);
  }

  async *#parse(): AsyncGenerator<TlvEvent, void> {
    const parser = new TlvParser((type, length) => requestFrameHandling(type, length, this.#hasHeaders));
    for (let bytes = await this.#source.read(); bytes !== undefined; bytes = await this.#source.read()) {
      yield* parser.push(bytes);
    }
    if (!parser.isComplete) throw new Http3Error(http3ErrorCodes.H3_FRAME_ERROR, "a stream that ends inside a frame");
  }

  #write(bytes: Uint8Array): void {
    this.#writer.write(bytes).catch(ignore);
  }
}

function ignore(): void {}
