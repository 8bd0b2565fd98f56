import { once } from "node:events";
import type { Page } from "playwright-core";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

import { ConecError } from "../../src/core/errors.ts";
import type { BidirectionalStream, CloseInfo, Connection, Remote } from "../../src/core/transport.ts";
import type { BrowserPages } from "./browser-page.ts";

interface Answer {
  id: number;
  value?: unknown;
  isBytes?: boolean;
  error?: ErrorData;
}

interface Event {
  event: "closed" | "writable-error";
  target: number;
  info?: CloseInfo;
  error?: ErrorData;
}

interface ErrorData extends Omit<ConecError, "cause" | "stack" | "name"> {
  name: string;
}

interface StreamIds {
  readable: number;
  writable: number;
}

/**
 * Connections that a page has, to be used from here as if they were here: every call is carried out in the page, over
 * a WebSocket. So one and the same suite runs on a browser's connections.
 */
export class Bridge {
  readonly #server: WebSocketServer;
  readonly #socket: WebSocket;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  readonly #listeners = new Map<number, (event: Event) => void>();
  #lastCall = 0;

  static async start(pages: BrowserPages, page: Page): Promise<Bridge> {
    const server = new WebSocketServer({ server: pages.http, path: "/bridge", perMessageDeflate: false });
    const connected = once(server, "connection") as Promise<[WebSocket]>;
    await page.evaluate((url) => conec.serveBridge(url), `${pages.origin.replace("http", "ws")}/bridge`);
    const [socket] = await connected;
    return new Bridge(server, socket);
  }

  private constructor(server: WebSocketServer, socket: WebSocket) {
    this.#server = server;
    this.#socket = socket;
    socket.on("message", (data) => this.#onMessage(data as Buffer));
  }

  /** Has the page connect to a listener at that URL whose certificate has that hash. */
  async connect(url: string, hash: Uint8Array): Promise<Connection> {
    const opened = await this.#call("connect", 0, { url, hash: [...hash] });
    return this.#connection(
      opened as { target: number; bidirectional: number; unidirectional: number; remote: Remote },
    );
  }

  async close(): Promise<void> {
    this.#socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #connection(ids: { target: number; bidirectional: number; unidirectional: number; remote: Remote }): Connection {
    const { target, remote } = ids;
    const closed = new Promise<CloseInfo>((resolve, reject) => {
      this.#listeners.set(target, ({ info, error }) => (error === undefined ? resolve(info!) : reject(errorOf(error))));
    });
    closed.catch(() => {});
    return {
      transport: "webtransport",
      remote,
      closed,
      incomingBidirectionalStreams: this.#source("takeBidirectional", ids.bidirectional, (value) =>
        this.#both(value as StreamIds),
      ),
      incomingUnidirectionalStreams: this.#source("takeUnidirectional", ids.unidirectional, (value) =>
        this.#readable(value as number),
      ),
      createBidirectionalStream: async () => this.#both((await this.#call("createBidirectional", target)) as StreamIds),
      createUnidirectionalStream: async () =>
        this.#writable((await this.#call("createUnidirectional", target)) as number),
      getStats: async () => (await this.#call("getStats", target)) as object,
      close: (info = {}) => {
        const code = info.closeCode ?? 0;
        // What is not valid throws at once, which cannot be asked of the page.
        if (!Number.isInteger(code) || code < 0 || code >= 2 ** 32) throw new ConecError("invalid-argument", "code");
        void this.#call("close", target, { info });
      },
    };
  }

  #both({ readable, writable }: StreamIds): BidirectionalStream {
    return { readable: this.#readable(readable), writable: this.#writable(writable) };
  }

  #readable(target: number): ReadableStream<Uint8Array> {
    return this.#source("read", target, (value) => value as Uint8Array);
  }

  #source<T>(op: string, target: number, wrap: (value: unknown) => T): ReadableStream<T> {
    return new ReadableStream<T>(
      {
        pull: async (controller) => {
          const value = await this.#call(op, target);
          if (value === undefined) controller.close();
          else controller.enqueue(wrap(value));
        },
        cancel: async (reason) => void (await this.#call("cancel", target, { reason: reasonData(reason) })),
      },
      { highWaterMark: 0 },
    );
  }

  #writable(target: number): WritableStream<Uint8Array> {
    let signal: AbortSignal;
    const call = async (op: string, args: object = {}, payload?: Uint8Array): Promise<void> => {
      try {
        await this.#call(op, target, args, payload);
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      }
    };
    const abort = (reason: unknown): Promise<void> => call("abort", { reason: reasonData(reason) });
    return new WritableStream<Uint8Array>({
      start: (controller) => {
        signal = controller.signal;
        signal.addEventListener("abort", () => void abort(signal.reason).catch(() => {}), { once: true });
        this.#listeners.set(target, ({ error }) => {
          if (!signal.aborted) controller.error(errorOf(error!));
        });
      },
      write: (chunk: Uint8Array | string) =>
        typeof chunk === "string" ? call("write", { text: chunk }) : call("write", {}, chunk),
      close: () => call("endWritable"),
      abort: () => {},
    });
  }

  #call(op: string, target: number, args: object = {}, payload: Uint8Array = new Uint8Array(0)): Promise<unknown> {
    this.#lastCall += 1;
    const id = this.#lastCall;
    const head = Buffer.from(JSON.stringify({ id, op, target, ...args }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    this.#socket.send(Buffer.concat([length, head, payload]));
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  #onMessage(data: Buffer): void {
    const length = data.readUInt32BE(0);
    const message = JSON.parse(data.toString("utf8", 4, 4 + length)) as Answer | Event;
    if ("event" in message) {
      this.#listeners.get(message.target)?.(message);
      return;
    }
    const call = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.error !== undefined) call?.reject(errorOf(message.error));
    else call?.resolve(message.isBytes === true ? new Uint8Array(data.subarray(4 + length)) : message.value);
  }
}

function errorOf({ code, message, source, remote, streamErrorCode, name }: ErrorData): Error {
  if (name !== "ConecError") return new Error(`${name}: ${message}`);
  return new ConecError(code, message, { source, remote, ...(streamErrorCode !== undefined && { streamErrorCode }) });
}

/** Numbers as text: JSON has no NaN. */
function reasonData(reason: unknown): { message: string; streamErrorCode?: string } | undefined {
  if (reason === undefined) return undefined;
  if (typeof reason === "string") return { message: reason };
  const { message = "", streamErrorCode } = reason as { message?: string; streamErrorCode?: number };
  return { message, ...(streamErrorCode !== undefined && { streamErrorCode: String(streamErrorCode) }) };
}
