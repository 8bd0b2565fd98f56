import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

import type { ClientOptions, Connection } from "../../src/index.ts";
import type { Party } from "../conformance/paths.ts";
import { BridgeCodec } from "./bridge-codec.ts";
import type { Answer, Call, Tagged } from "./bridge-codec.ts";
import { Outbox } from "./outbox.ts";
import { remoteChannel, remoteClient, remoteConnection } from "./remote-channel.ts";
import { RemoteMessageReadable, RemoteMessageWritable, RemoteReadable, RemoteWritable } from "./remote-streams.ts";
import type { RemoteCall } from "./remote-streams.ts";

/**
 * Connections, Clients and channels that a page has, to be used from here as if they were here: every call is carried
 * out in the page, over a WebSocket, and in the order of the calls; those of one turn are carried out in one turn. Nothing is read ahead or written behind: a chunk goes over
 * when somebody here has asked for it, and `write` resolves when it has in the page. So one and the same suite runs on
 * what a browser has.
 */
export class Bridge {
  readonly #server: WebSocketServer;
  readonly #socket: WebSocket;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  readonly #codec = new BridgeCodec<Call, Answer>(
    (value) => (value instanceof AbortSignal ? this.#tagSignal(value) : undefined),
    (tagged) => this.#untag(tagged),
  );
  readonly #outbox = new Outbox<Call>((calls) => this.#send(calls));
  #lastCall = 0;
  #lastSignal = 0;

  static async start(page: Page): Promise<Bridge> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    await once(server, "listening");
    const connected = once(server, "connection") as Promise<[WebSocket]>;
    await page.evaluate((url) => conec.serveBridge(url), `ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const [socket] = await connected;
    return new Bridge(server, socket);
  }

  private constructor(server: WebSocketServer, socket: WebSocket) {
    this.#server = server;
    this.#socket = socket;
    socket.on("message", (data) => this.#onAnswers(data as Buffer<ArrayBuffer>));
    socket.on("close", () => this.#rejectAll());
  }

  /** Has the page connect to a listener at that URL whose certificate has that hash. */
  async connect(url: string, hash: Uint8Array): Promise<Connection> {
    return (await this.#call(0, "connect", [url, hash])) as Connection;
  }

  /** Has the page join the Coordinator at that URL. */
  async join(url: string, hash: Uint8Array, options: Pick<ClientOptions, "id" | "limits">): Promise<Party> {
    return (await this.#call(0, "join", [url, hash, options])) as Party;
  }

  async close(): Promise<void> {
    this.#socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #call(target: number, method: string, args: unknown[]): Promise<unknown> {
    this.#lastCall += 1;
    const id = this.#lastCall;
    this.#outbox.push({ id, target, method, args });
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  #send(calls: Call[]): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(this.#codec.encode(calls));
    else this.#rejectAll();
  }

  #rejectAll(): void {
    for (const { reject } of this.#calls.values()) reject(new Error("The page is gone"));
    this.#calls.clear();
  }

  #onAnswers(data: Buffer<ArrayBuffer>): void {
    for (const { id, failed, value, error } of this.#codec.decode(data)) {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (failed === true) call?.reject(error);
      else call?.resolve(value);
    }
  }

  #tagSignal(signal: AbortSignal): Tagged {
    this.#lastSignal += 1;
    const target = -this.#lastSignal;
    const onAbort = (): void => void this.#call(target, "abort", [signal.reason]);
    signal.addEventListener("abort", onAbort, { once: true });
    return { $: "signal", target, aborted: signal.aborted, reason: signal.reason as unknown };
  }

  #untag(tagged: Tagged): unknown {
    const call = (method: string, ...args: unknown[]): Promise<unknown> =>
      this.#call(tagged["target"] as number, method, args);
    return remoteKinds[tagged.$]!(call, tagged as never);
  }
}

const remoteKinds: Record<string, (call: RemoteCall, tagged: never) => unknown> = {
  readable: (call) => new RemoteReadable(call),
  writable: (call) => new RemoteWritable(call),
  "message-writable": (call) => new RemoteMessageWritable(call),
  "message-readable": (call, info) => new RemoteMessageReadable(call, info),
  channel: remoteChannel,
  client: remoteClient,
  connection: remoteConnection,
};
