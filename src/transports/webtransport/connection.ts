// SPDX-License-Identifier: Apache-2.0
import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError, reasonText } from "../../core/errors.ts";
import type {
  BidirectionalStream,
  CloseInfo,
  Connection,
  ConnectionStats,
  Remote,
  ServerCertificate,
} from "../../core/transport.ts";
import { unrefTimeout } from "../../streams/timer.ts";
import { wrapReadable, wrapWritable } from "./streams.ts";
import type { StreamCare, StreamSession } from "./streams.ts";
import type { WebTransportLike, WebTransportStreamLike } from "./web-transport-like.ts";
import { ignore } from "../../streams/ignore.ts";

/** How a session ended: what was said, or why nothing was. */
export type SessionEnd = { info: CloseInfo } | { error: ConecError };

/** What has to be done for a session of an implementation that does not do it by itself. */
export interface SessionCare extends StreamCare {
  /** How the session ended, where its `closed` does not tell. */
  end(): SessionEnd | undefined;
  /** Ends what is left of a session that was closed here and has not gone. */
  cut(): void;
}

export interface WebTransportConnectionOptions {
  session: WebTransportLike;
  remote: Remote;
  server: ServerCertificate | undefined;
  care: SessionCare | undefined;
}

/** A {@link Connection} over a session of `WebTransport` that is open. */
export class WebTransportConnection implements Connection {
  readonly transport = "webtransport";
  readonly remote: Remote;
  readonly server: ServerCertificate | undefined;
  readonly closed: Promise<CloseInfo>;
  readonly incomingBidirectionalStreams: ReadableStream<BidirectionalStream>;
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
  readonly #session: WebTransportLike;
  readonly #care: SessionCare | undefined;
  readonly #streams: StreamSession;
  readonly #onOver = new Set<(error: ConecError) => void>();
  #settleClosed!: { resolve: (info: CloseInfo) => void; reject: (error: ConecError) => void };
  #end: SessionEnd | undefined;

  constructor({ session, remote, server, care }: WebTransportConnectionOptions) {
    this.#session = session;
    this.#care = care;
    this.remote = remote;
    this.server = server;
    this.closed = new Promise((resolve, reject) => (this.#settleClosed = { resolve, reject }));
    this.closed.catch(ignore);
    this.#streams = {
      care,
      whenOver: () => this.closed.then(closedError, (error: ConecError) => error),
      onOver: (callback) => {
        if (this.#end !== undefined) callback(errorOf(this.#end));
        else this.#onOver.add(callback);
        return () => void this.#onOver.delete(callback);
      },
    };
    this.incomingBidirectionalStreams = this.#incoming(
      session.incomingBidirectionalStreams,
      (stream) => this.#wrap(stream),
      ({ readable, writable }) => Promise.all([readable.cancel(), writable.abort()]),
    );
    this.incomingUnidirectionalStreams = this.#incoming(
      session.incomingUnidirectionalStreams,
      (readable) => wrapReadable(readable, this.#streams),
      (readable) => readable.cancel(),
    );
    void this.#watch();
  }

  async createBidirectionalStream(): Promise<BidirectionalStream> {
    return this.#wrap(await this.#open(() => this.#session.createBidirectionalStream({ waitUntilAvailable: true })));
  }

  async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
    const open = () => this.#session.createUnidirectionalStream({ waitUntilAvailable: true });
    return wrapWritable(await this.#open(open), this.#streams);
  }

  close(given?: Partial<CloseInfo>): void {
    const info = checkCloseInfo(given);
    if (this.#end !== undefined) return;
    this.#finish({ info });
    try {
      this.#session.close(info);
    } catch {
      // It has ended by itself a moment ago.
    }
    if (this.#care === undefined) return;
    const stop = unrefTimeout(lingerMs, () => this.#care?.cut());
    this.#session.closed.then(stop, stop);
  }

  /** What the implementation tells, in the names of core/transport.ts; nothing where it has no `getStats`. */
  async getStats(): Promise<ConnectionStats> {
    const known: ConnectionStats = {};
    try {
      const stats = { ...(await this.#session.getStats?.()) } as Record<string, unknown>;
      for (const [theirs, ours] of statNames) {
        const value = stats[theirs];
        // One that needs care has zeros where it does not know.
        if (typeof value === "number" && (value > 0 || this.#care === undefined)) known[ours] = value;
      }
    } catch {
      // The session is over.
    }
    return known;
  }

  /** Waits until the session ends by itself. */
  async #watch(): Promise<void> {
    let end: SessionEnd;
    try {
      const { closeCode = 0, reason = "" } = (await this.#session.closed) ?? {};
      end = { info: { closeCode, reason } };
    } catch (cause) {
      const said = reasonText(cause) || "no reason given";
      end = { error: new ConecError("connection-lost", `The session broke: ${said}`, { remote: true, cause }) };
    }
    this.#finish(this.#care?.end() ?? end);
  }

  #finish(end: SessionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if ("info" in end) this.#settleClosed.resolve(end.info);
    else this.#settleClosed.reject(end.error);
    const error = errorOf(end);
    for (const callback of this.#onOver) callback(error);
    this.#onOver.clear();
  }

  #wrap({ readable, writable }: WebTransportStreamLike): BidirectionalStream {
    return { readable: wrapReadable(readable, this.#streams), writable: wrapWritable(writable, this.#streams) };
  }

  async #open<T>(create: () => Promise<T>): Promise<T> {
    if (this.#end !== undefined) throw errorOf(this.#end);
    let forget = ignore;
    const over = new Promise<never>((_resolve, reject) => (forget = this.#streams.onOver(reject)));
    try {
      return await Promise.race([create(), over]);
    } catch (cause) {
      if (cause instanceof ConecError) throw cause;
      if (isInvalidState(cause)) throw await this.#streams.whenOver();
      // Chromium does not wait for the other end to allow more: NetworkError.
      const message = `Cannot open a stream: ${reasonText(cause)}`;
      throw new ConecError("limit-exceeded", message, { source: "stream", cause });
    } finally {
      forget();
    }
  }

  /** Streams that come in, until the session ends. When nobody takes them any more, those that still come are refused. */
  #incoming<T, U>(
    source: ReadableStream<T>,
    wrap: (stream: T) => U,
    refuse: (stream: U) => Promise<unknown>,
  ): ReadableStream<U> {
    const reader = source.getReader();
    reader.closed.catch(ignore);
    let forget = ignore;
    const refuseAll = async (): Promise<void> => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        refuse(wrap(next.value)).catch(ignore);
      }
    };
    return new ReadableStream<U>(
      {
        start: (controller) => {
          forget = this.#streams.onOver((error) => {
            if (error.code === "closed") controller.close();
            else controller.error(error);
          });
        },
        pull: async (controller) => {
          const next = await reader.read().catch(ignore);
          if (next?.done === false) controller.enqueue(wrap(next.value));
          else await this.#streams.whenOver();
        },
        // Not cancelled there: some implementations break when a stream comes after that.
        cancel: () => {
          forget();
          refuseAll().catch(ignore);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

/** How long the other end may take to let a session go that was closed here. */
const lingerMs = 5000;

/** W3C `WebTransportConnectionStats`, and ours. */
const statNames: readonly (readonly [string, keyof ConnectionStats])[] = [
  ["smoothedRtt", "rttMs"],
  ["bytesSent", "bytesSent"],
  ["bytesReceived", "bytesReceived"],
  ["packetsSent", "packetsSent"],
  ["packetsReceived", "packetsReceived"],
  ["packetsLost", "packetsLost"],
];

/** What streams fail with when the session has ended so. */
function errorOf(end: SessionEnd): ConecError {
  return "error" in end ? end.error : closedError(end.info);
}

function closedError({ closeCode, reason }: CloseInfo): ConecError {
  return new ConecError("closed", `The connection was closed${reason === "" ? ` (${closeCode})` : `: ${reason}`}`);
}

/** The session was over when the stream was asked for. */
function isInvalidState(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && (thrown as { name?: unknown }).name === "InvalidStateError";
}
