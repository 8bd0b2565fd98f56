// SPDX-License-Identifier: Apache-2.0
import type { SessionCare, SessionEnd } from "../connection.ts";
import { Http2Session } from "./http2-session.ts";
import type { NativeHttp2Stream } from "./http2-session.ts";
import { ignore } from "../../../streams/ignore.ts";

/**
 * What a session of `@fails-components/webtransport`, of its client or its server, needs to do as the W3C interface says.
 * Seen in version 1.6.8; what a later version does not have is left alone.
 *
 * - A stream takes in all that comes, read or not. Its reading is paused after every read.
 * - An abort waits for the write that is under way and ends the other direction of the stream as well; a code beyond 255
 *   is cut. Abort and cancel go past the package's streams.
 * - Datagrams, which conec does not use, are kept without limit. They are dropped.
 * - After a "drain" of the other end, the end of the session is taken for a failed handshake. It is not listened to.
 * - A stream that comes when the session is over ends the process. It is ignored.
 */
export class FailsComponentsSession implements SessionCare {
  readonly #session: PackageSession;
  readonly #streams = new WeakMap<ReadableStream | WritableStream, PackageStream>();
  #http2: Http2Session | undefined;
  #status: number | undefined;

  /** To be called before anything can have come in. Undefined for any other session. */
  static of(session: object): FailsComponentsSession | undefined {
    const inner = (session as { sessionint?: object }).sessionint ?? session;
    return isPackageSession(inner) ? new FailsComponentsSession(inner) : undefined;
  }

  private constructor(session: PackageSession) {
    this.#session = session;
    const { addStreamObj, onClose, onStream, setSessionObj } = session;
    session.addStreamObj = (stream) => {
      this.#onStream(stream);
      addStreamObj.call(session, stream);
    };
    session.onStream = (event) => {
      if (session.state !== "closed" && session.state !== "failed") onStream.call(session, event);
    };
    session.onDatagramReceived = ignore;
    session.onGoAwayReceived = ignore;
    session.onClose = (event) => {
      if (session.state === "connecting" && event.errorcode >= 100) this.#status = event.errorcode;
      try {
        onClose.call(session, event);
      } catch (cause) {
        this.#http2?.fail(cause);
        session.closedReject?.(cause);
        session.closeHook?.();
      }
    };
    if (session.objint !== undefined && session.objint !== null) this.#http2 = Http2Session.of(session.objint);
    else {
      session.setSessionObj = (native, reliable) => {
        setSessionObj.call(session, native, reliable);
        this.#http2 = Http2Session.of(native);
      };
    }
  }

  /** The HTTP status that a session was refused with. */
  get status(): number | undefined {
    return this.#status;
  }

  pause(readable: ReadableStream<Uint8Array>): void {
    this.#streams.get(readable)?.objint.stopReading();
  }

  stop(readable: ReadableStream<Uint8Array>, streamErrorCode: number): void {
    const stream = this.#streams.get(readable);
    if (stream === undefined || stream.readableclosed === true) return;
    stream.readableclosed = true;
    this.#session.removeReceiveStream(stream);
    stream.objint.stopSending(streamErrorCode);
  }

  reset(writable: WritableStream<Uint8Array>, streamErrorCode: number): void {
    const stream = this.#streams.get(writable);
    if (stream === undefined) return;
    stream.writableclosed = true;
    this.#session.removeSendStream(stream);
    this.#http2?.onReset(stream.objint);
    stream.objint.resetStream(streamErrorCode);
  }

  end(): SessionEnd | undefined {
    return this.#http2?.end;
  }

  cut(): void {
    this.#http2?.destroy();
    this.#session.parentobj?.transportInt?.clientInt?.destroy();
  }

  #onStream(stream: PackageStream): void {
    const { readable, writable, objint } = stream;
    if (readable !== undefined) this.#streams.set(readable, stream);
    if (writable !== undefined) this.#streams.set(writable, stream);
    if (readable !== undefined) objint.stopReading();
    this.#http2?.addStream(objint, { readable: readable !== undefined, writable: writable !== undefined });
  }
}

/** What is used of the package's `HttpWTSession`. */
interface PackageSession {
  state: string;
  /** Set when the session is open. */
  objint?: object | null;
  parentobj?: { transportInt?: { clientInt?: { destroy(): void } } };
  closedReject?: (cause: unknown) => void;
  closeHook?: (() => void) | null;
  addStreamObj: (stream: PackageStream) => void;
  removeReceiveStream: (stream: PackageStream) => void;
  removeSendStream: (stream: PackageStream) => void;
  setSessionObj: (native: object, reliable: boolean) => void;
  onClose: (event: { errorcode: number }) => void;
  onStream: (event: unknown) => void;
  onDatagramReceived: () => void;
  onGoAwayReceived: () => void;
}

/** Of its `HttpWTStream`. */
interface PackageStream {
  readable?: ReadableStream<Uint8Array>;
  writable?: WritableStream<Uint8Array>;
  readableclosed?: boolean;
  writableclosed?: boolean;
  objint: NativeStream & NativeHttp2Stream;
}

/** Of its `NativeHttpWTStream`, over HTTP/2 and HTTP/3. */
interface NativeStream {
  stopReading(): void;
  stopSending(code: number): void;
  resetStream(code: number): void;
}

function isPackageSession(session: object): session is PackageSession {
  const { addStreamObj, onClose, onStream, setSessionObj } = session as Partial<PackageSession>;
  return [addStreamObj, onClose, onStream, setSessionObj].every((method) => typeof method === "function");
}
