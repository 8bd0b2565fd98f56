// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText } from "../../../core/errors.ts";
import type { CloseInfo } from "../../../core/transport.ts";
import type { SessionEnd } from "../connection.ts";

/**
 * The part of a session of `@fails-components/webtransport` that speaks HTTP/2, and what is done so that it neither ends
 * this process nor fills its memory. Seen in version 1.6.8:
 *
 * - Capsules that the other end should not send throw where nobody catches: a single one ends the process. They end the
 *   session.
 * - A capsule is collected until it is complete, up to many times the session's window. 64 KiB must be enough.
 * - A session that broke looks like one that was closed, and the end of its request goes unheard.
 * - Streams that are over are kept until the session ends, about 5 KB each. They are let go.
 * - A stream that the other end does not want is not reset, so it can never be over there, and what came on it unread
 *   counts against the window of the session. It is reset.
 * - Bytes of stream 0, a server's first bidirectional one, are lost when they come in parts. It is left out.
 */
export class Http2Session {
  readonly #native: NativeHttp2Session;
  /** For each stream that is not over: tells that a direction has ended. */
  readonly #streams = new Map<bigint, (direction: Direction) => void>();
  #said: CloseInfo | undefined;
  #fault: ConecError | undefined;

  /** Undefined if it is a session over HTTP/3. */
  static of(native: object): Http2Session | undefined {
    const { capsParser, stream, streamIdMngrBi } = native as Partial<NativeHttp2Session>;
    const isHttp2 = capsParser !== undefined && stream !== undefined && streamIdMngrBi !== undefined;
    return isHttp2 ? new Http2Session(native as NativeHttp2Session) : undefined;
  }

  private constructor(native: NativeHttp2Session) {
    this.#native = native;
    const { capsParser: parser, stream, closeConnection } = native;
    const { parseData, drainWrites, onCloseWebTransportSession, removeStream } = parser;
    parser.parseData = (data) =>
      this.#guard(() => {
        parseData.call(parser, data);
        if ((parser.saveddata?.length ?? 0) > maxCapsuleBytes) throw new Error("a capsule that is too long");
      });
    parser.drainWrites = () => this.#guard(() => drainWrites.call(parser));
    parser.onCloseWebTransportSession = (said) => {
      this.#said ??= { closeCode: said.code, reason: reasonText(said.reason) };
      onCloseWebTransportSession.call(parser, said);
    };
    parser.removeStream = (id) => {
      removeStream.call(parser, id);
      this.#streams.get(id)?.("out");
    };
    native.closeConnection = (why) => {
      this.#fault ??= broken(why.reason);
      closeConnection.call(native, why);
    };
    // The end of the request is a close without words (draft-ietf-webtrans-http2, WT_CLOSE_SESSION).
    stream.once("end", () => {
      this.#said ??= { closeCode: 0, reason: "" };
      stream.end();
    });
    if (!parser.isclient) native.streamIdMngrBi.getNextOutgoingStreamId(); // which is 0
  }

  /** How the session ended. */
  get end(): SessionEnd {
    if (this.#fault !== undefined) return { error: this.#fault };
    if (this.#said !== undefined) return { info: this.#said };
    return { error: new ConecError("connection-lost", "The session ended without a word", { remote: true }) };
  }

  /** A stream has begun, in one direction or both. */
  addStream(stream: NativeHttp2Stream, { readable, writable }: { readable: boolean; writable: boolean }): void {
    const open = new Set<Direction>([...(readable ? ["in" as const] : []), ...(writable ? ["out" as const] : [])]);
    const { onFin, onStreamSignal } = stream;
    this.#streams.set(stream.streamid, (direction) => {
      open.delete(direction);
      if (open.size === 0) this.#forget(stream.streamid);
    });
    stream.onFin = () => {
      onFin.call(stream);
      this.#streams.get(stream.streamid)?.("in");
    };
    stream.onStreamSignal = (type) => {
      onStreamSignal.call(stream, type);
      if (type === "resetStream") this.#streams.get(stream.streamid)?.("in");
      else if (open.has("out")) {
        // As in QUIC (RFC 9000, section 3.5).
        this.onReset(stream);
        stream.resetStream(0);
      }
    };
  }

  /** A stream is about to be reset from here. */
  onReset(stream: NativeHttp2Stream): void {
    stream.outgochunks.splice(0);
    this.#streams.get(stream.streamid)?.("out");
  }

  /** Ends the session because of something that was thrown. */
  fail(cause: unknown): void {
    this.#fault ??= broken(reasonText(cause), cause);
    this.destroy();
  }

  destroy(): void {
    this.#native.stream.destroy();
  }

  #guard(step: () => void): void {
    if (this.#fault !== undefined) return;
    try {
      step();
    } catch (cause) {
      this.fail(cause);
    }
  }

  /** Nothing more can come of it that counts: capsules for streams that are not there are ignored. */
  #forget(id: bigint): void {
    const { capsParser: parser } = this.#native;
    this.#streams.delete(id);
    parser.wtstreams.delete(id);
    try {
      parser.scheduler.Unregister(id);
    } catch {
      // It is done with that already.
    }
  }
}

type Direction = "in" | "out";

/** More than any capsule that is not part of a stream: a close with its reason has 1028 bytes, a datagram 16 KiB. */
const maxCapsuleBytes = 65_536;

function broken(what: string, cause?: unknown): ConecError {
  const message = `The other end broke the rules of WebTransport over HTTP/2: ${what}`;
  return new ConecError("protocol-error", message, { remote: true, cause });
}

/** What is used of the package's `Http2WebTransportSession`. */
interface NativeHttp2Session {
  capsParser: CapsuleParser;
  stream: { once(event: "end", listener: () => void): unknown; end(): void; destroy(): void };
  streamIdMngrBi: { getNextOutgoingStreamId(): bigint };
  closeConnection: (why: { code: number; reason: string }) => void;
}

/** Of its `Http2WebTransportStream`. */
export interface NativeHttp2Stream {
  streamid: bigint;
  /** What was written and waits. */
  outgochunks: unknown[];
  onFin: () => void;
  onStreamSignal: (type: "resetStream" | "stopSending") => void;
  resetStream: (code: number) => void;
}

/** Of its `Http2CapsuleParser`. */
interface CapsuleParser {
  isclient: boolean;
  saveddata?: { length: number };
  wtstreams: Map<bigint, unknown>;
  scheduler: { Unregister(id: bigint): void };
  parseData: (data: unknown) => void;
  drainWrites: () => void;
  removeStream: (id: bigint) => void;
  onCloseWebTransportSession: (said: { code: number; reason: string }) => void;
}
