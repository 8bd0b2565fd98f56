// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../../core/errors.ts";
import { encodeVarints } from "../../../streams/varint.ts";
import type { ReceiveStream } from "../receive-stream.ts";
import type { SendStream } from "../send-stream.ts";
import type { StreamTable } from "../stream-table.ts";
import { concatBytes } from "./concat-bytes.ts";
import { ControlStreamRules } from "./control-stream.ts";
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";
import { QpackDecoderInstructions, QpackEncoderInstructions } from "./qpack-streams.ts";
import { RequestStream } from "./request-stream.ts";
import { encodeSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { StreamHead } from "./stream-head.ts";
import { TlvParser } from "./tlv-parser.ts";

export interface Http3ConnectionOptions {
  streams: Pick<StreamTable, "openUnidirectional">;
  /** What this end announces. */
  settings: Settings;
  /** Types of streams that belong to a session: first bytes of the one, frame type of the other. */
  sessionStreamTypes: { unidirectional: number; bidirectional: number };
  handlers: Http3Handlers;
}

interface Http3Handlers {
  /** May throw {@link Http3Error}. */
  onRequest(request: RequestStream): Promise<void>;
  /** A stream of a session; what it begins with has been read. */
  onSessionStream(sessionId: number, stream: SessionStream): void;
  /** The other end broke the rules: the connection is to be closed with that. */
  onError(error: Http3Error): void;
}

export interface SessionStream {
  /** From behind the session's id. */
  readonly readable: ReadableStream<Uint8Array>;
  readonly send: SendStream | undefined;
}

/** The server's end of an HTTP/3 connection: tells its streams apart and keeps the rules of RFC 9114, section 6. */
export class Http3Connection {
  /** The client's SETTINGS. */
  readonly settings: Promise<Settings>;
  readonly #options: Http3ConnectionOptions;
  /** Of the control stream of this end. */
  readonly controlStreamId: number;
  readonly #control = new ControlStreamRules();
  /** Types of the streams that there is one of, for good. */
  readonly #critical = new Set<number>();
  #resolveSettings!: (settings: Settings) => void;

  constructor(options: Http3ConnectionOptions) {
    this.#options = options;
    this.settings = new Promise((resolve) => (this.#resolveSettings = resolve));
    const control = options.streams.openUnidirectional();
    this.controlStreamId = control.id;
    const writer = control.writable.getWriter();
    writer.closed.catch(ignore);
    writer.write(concatBytes([encodeVarints(streamTypes.control), encodeSettings(options.settings)])).catch(ignore);
  }

  onStream(receive: ReceiveStream, send: SendStream | undefined): void {
    const handling = send === undefined ? this.#unidirectional(receive) : this.#bidirectional(receive, send);
    handling.catch((thrown: unknown) => {
      // Otherwise the stream broke, and with it what it was for.
      if (thrown instanceof Http3Error) this.#options.handlers.onError(thrown);
    });
  }

  async #unidirectional(receive: ReceiveStream): Promise<void> {
    const head = new StreamHead(receive.readable);
    const type = await head.varint();
    switch (type) {
      case undefined:
        return undefined;
      case this.#options.sessionStreamTypes.unidirectional:
        return await this.#sessionStream(head, undefined);
      case streamTypes.control:
        return await this.#readCritical(type, head, this.#controlReader());
      case streamTypes.qpackEncoder:
        return await this.#readCritical(type, head, new QpackEncoderInstructions());
      case streamTypes.qpackDecoder:
        return await this.#readCritical(type, head, new QpackDecoderInstructions());
      case streamTypes.push:
        throw new Http3Error(http3ErrorCodes.H3_STREAM_CREATION_ERROR, "a push stream from a client");
      default:
        // RFC 9114, section 6.2.
        return await head.discard(
          new Http3Error(http3ErrorCodes.H3_STREAM_CREATION_ERROR, "an unknown type", "stream"),
        );
    }
  }

  async #readCritical(type: number, head: StreamHead, reader: { push(bytes: Uint8Array): void }): Promise<void> {
    if (this.#critical.has(type)) {
      throw new Http3Error(http3ErrorCodes.H3_STREAM_CREATION_ERROR, `a second stream of type ${type}`);
    }
    this.#critical.add(type);
    try {
      for (let bytes = await head.read(); bytes !== undefined; bytes = await head.read()) reader.push(bytes);
    } catch (thrown) {
      // Unless the other end has aborted the stream, it went with the session or the connection.
      if (!(thrown instanceof ConecError) || thrown.code !== "aborted") throw thrown;
    }
    throw new Http3Error(http3ErrorCodes.H3_CLOSED_CRITICAL_STREAM, `the end of the stream of type ${type}`);
  }

  #controlReader(): { push(bytes: Uint8Array): void } {
    const rules = this.#control;
    const parser = new TlvParser((type, length) => rules.handlingOf(type, length));
    return {
      push: (bytes) => {
        for (const { type, payload } of parser.push(bytes)) rules.frame(type, payload);
        if (rules.settings !== undefined) this.#resolveSettings(rules.settings);
      },
    };
  }

  async #bidirectional(receive: ReceiveStream, send: SendStream): Promise<void> {
    const head = new StreamHead(receive.readable);
    if ((await head.varint()) === this.#options.sessionStreamTypes.bidirectional) {
      await this.#sessionStream(head, send);
      return;
    }
    head.rewind();
    const request = new RequestStream(receive, send, head);
    try {
      await this.#options.handlers.onRequest(request);
    } catch (thrown) {
      if (!(thrown instanceof Http3Error)) throw thrown;
      if (thrown.scope === "connection") throw thrown;
      // RFC 6585, section 5: Request Header Fields Too Large.
      if (thrown.wireCode === http3ErrorCodes.H3_EXCESSIVE_LOAD) request.respondAndEnd(431);
      else request.reset(thrown);
    }
  }

  async #sessionStream(head: StreamHead, send: SendStream | undefined): Promise<void> {
    const sessionId = await head.varint();
    if (sessionId === undefined) return;
    // The id is that of a request: a stream that the client opened, both ways (RFC 9000, section 2.1).
    if (sessionId % 4 !== 0) throw new Http3Error(http3ErrorCodes.H3_ID_ERROR, "a session id that cannot be");
    this.#options.handlers.onSessionStream(sessionId, { readable: head.rest(), send });
  }
}

/** Types of unidirectional streams (RFC 9114, section 6.2; RFC 9204, section 4.2). */
const streamTypes = { control: 0x00, push: 0x01, qpackEncoder: 0x02, qpackDecoder: 0x03 };

function ignore(): void {}
