import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError, reasonText } from "../../core/errors.ts";
import type { BidirectionalStream, CloseInfo, Connection, ConnectionStats, Remote } from "../../core/transport.ts";
import { wrapReadable, wrapWritable } from "./streams.ts";
import type { WebTransportLike, WebTransportStreamLike } from "./web-transport-like.ts";

/** A {@link Connection} over a session of `WebTransport` that is open. */
export class WebTransportConnection implements Connection {
  readonly transport = "webtransport";
  readonly remote: Remote;
  readonly closed: Promise<CloseInfo>;
  readonly incomingBidirectionalStreams: ReadableStream<BidirectionalStream>;
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
  readonly #session: WebTransportLike;
  #resolveClosed!: (info: CloseInfo) => void;
  #end: { info: CloseInfo } | { error: ConecError } | undefined;

  constructor(session: WebTransportLike, remote: Remote) {
    this.#session = session;
    this.remote = remote;
    const closedHere = new Promise<CloseInfo>((resolve) => (this.#resolveClosed = resolve));
    this.closed = Promise.race([closedHere, this.#closedThere()]);
    this.closed.catch(ignore);
    this.incomingBidirectionalStreams = this.#incoming(session.incomingBidirectionalStreams, (stream) =>
      this.#wrap(stream),
    );
    this.incomingUnidirectionalStreams = this.#incoming(session.incomingUnidirectionalStreams, (readable) =>
      wrapReadable(readable, this.#error),
    );
  }

  async createBidirectionalStream(): Promise<BidirectionalStream> {
    return this.#wrap(await this.#open(() => this.#session.createBidirectionalStream()));
  }

  async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
    return wrapWritable(await this.#open(() => this.#session.createUnidirectionalStream()), this.#error);
  }

  close(given?: Partial<CloseInfo>): void {
    const info = checkCloseInfo(given);
    if (this.#end !== undefined) return;
    this.#end = { info };
    this.#resolveClosed(info);
    try {
      this.#session.close(info);
    } catch {
      // It has ended by itself a moment ago.
    }
  }

  /** What the implementation tells, in the names of core/transport.ts; nothing where it has no `getStats`. */
  async getStats(): Promise<ConnectionStats> {
    const stats: Record<string, unknown> = { ...(await this.#session.getStats?.().catch(ignore)) };
    const known: ConnectionStats = {};
    for (const [theirs, ours] of statNames) {
      const value = stats[theirs];
      if (typeof value === "number") known[ours] = value;
    }
    return known;
  }

  async #closedThere(): Promise<CloseInfo> {
    try {
      const { closeCode = 0, reason = "" } = (await this.#session.closed) ?? {};
      this.#end ??= { info: { closeCode, reason } };
    } catch (cause) {
      const said = reasonText(cause) || "no reason given";
      const error = new ConecError("connection-lost", `The session broke: ${said}`, { remote: true, cause });
      this.#end ??= { error };
    }
    if ("error" in this.#end) throw this.#end.error;
    return this.#end.info;
  }

  /** What streams fail with when the session is over; waits until it is. */
  readonly #error = async (): Promise<ConecError> => {
    try {
      const { closeCode, reason } = await this.closed;
      return new ConecError("closed", `The connection was closed${reason === "" ? ` (${closeCode})` : `: ${reason}`}`);
    } catch (error) {
      return error as ConecError;
    }
  };

  #wrap({ readable, writable }: WebTransportStreamLike): BidirectionalStream {
    return { readable: wrapReadable(readable, this.#error), writable: wrapWritable(writable, this.#error) };
  }

  async #open<T>(create: () => Promise<T>): Promise<T> {
    if (this.#end !== undefined) throw await this.#error();
    try {
      return await create();
    } catch (cause) {
      if (isInvalidState(cause) || this.#isOver()) throw await this.#error();
      // Chromium does not wait for the other end to allow more: NetworkError.
      const message = `Cannot open a stream: ${reasonText(cause)}`;
      throw new ConecError("limit-exceeded", message, { source: "stream", cause });
    }
  }

  #isOver(): boolean {
    return this.#end !== undefined;
  }

  #incoming<T, U>(source: ReadableStream<T>, wrap: (stream: T) => U): ReadableStream<U> {
    const reader = source.getReader();
    reader.closed.catch(ignore);
    return new ReadableStream<U>(
      {
        pull: async (controller) => {
          try {
            const { value, done } = await reader.read();
            if (!done) {
              controller.enqueue(wrap(value));
              return;
            }
          } catch {
            // The session is over, which `closed` tells.
          }
          await this.closed;
          controller.close();
        },
        cancel: async (reason) => {
          await reader.cancel(reason).catch(ignore);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

/** W3C `WebTransportConnectionStats`, and ours. */
const statNames: readonly (readonly [string, keyof ConnectionStats])[] = [
  ["smoothedRtt", "rttMs"],
  ["bytesSent", "bytesSent"],
  ["bytesReceived", "bytesReceived"],
  ["packetsSent", "packetsSent"],
  ["packetsReceived", "packetsReceived"],
  ["packetsLost", "packetsLost"],
];

/** The session was over when the stream was asked for. */
function isInvalidState(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && (thrown as { name?: unknown }).name === "InvalidStateError";
}

function ignore(): void {}
