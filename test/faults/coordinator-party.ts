/** A Coordinator under test, in a process of its own. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Coordinator } from "../../src/index.ts";
import type { Channel, CoordinatorStats, Listener } from "../../src/index.ts";
import { listen } from "../../src/transports/quic/index.ts";
import type { QuicListener } from "../../src/transports/quic/index.ts";
import { listen as listenForWebSockets } from "../../src/transports/websocket/node/index.ts";
import { shiftClock } from "./clock.ts";
import { seen } from "./outcome.ts";
import type { Seen } from "./outcome.ts";

export interface ServeOptions {
  /** Default: the loopback. */
  host?: string;
  /** Default: any. */
  port?: number;
  cert: string;
  key: string;
  idleTimeoutMs: number;
  /** Whether Clients whose connection is lost are waited for. Default: they are gone. */
  resume?: boolean;
}

export class CoordinatorParty {
  #coordinator!: Coordinator;
  #listener: QuicListener | undefined;
  readonly #links: Promise<Seen>[] = [];
  #reading: Promise<void> | undefined;
  readonly #loop = monitorEventLoopDelay({ resolution: 1 });

  /** Serves over QUIC. Returns the port. @throws ConecError */
  async serve({
    host = "127.0.0.1",
    port = 0,
    cert,
    key,
    idleTimeoutMs,
    resume = false,
  }: ServeOptions): Promise<number> {
    this.#coordinator ??= new Coordinator({ limits: resume ? {} : { resumeWindowMs: 0 } });
    this.#listener = await listen({ host, port, cert, key, idleTimeoutMs });
    return this.#serve(this.#listener);
  }

  /** Serves over WebSocket, too. Returns the port. */
  async serveWebSockets({ cert, key }: Pick<ServeOptions, "cert" | "key">): Promise<number> {
    return this.#serve(await listenForWebSockets({ host: "127.0.0.1", port: 0, cert, key }));
  }

  async introduce(one: string, other: string): Promise<void> {
    const link = await this.#coordinator.introduce(one, other);
    this.#links.push(seen(link.closed));
  }

  /** What has become of the channels that were made, in order; each when it has ended. */
  async linksEnded(): Promise<Seen[]> {
    return await Promise.all(this.#links);
  }

  clients(): string[] {
    return [...this.#coordinator.clients.keys()];
  }

  async stats(): Promise<
    CoordinatorStats & { addressChanges: number; addressChangesRefused: number; connections: number }
  > {
    const { addressChanges, addressChangesRefused, connections } = await this.#listener!.getStats();
    return { ...(await this.#coordinator.getStats()), addressChanges, addressChangesRefused, connections };
  }

  updateCertificate(identity: { cert: string; key: string }): void {
    this.#listener!.updateCertificate(identity);
  }

  /** Bytes in use, when what is of no use has been collected. */
  async memory(): Promise<number> {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    for (let round = 0; round < 3; round += 1) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  measureEventLoop(): void {
    this.#loop.enable();
    this.#loop.reset();
  }

  /** How late the event loop was, in 99 of 100 cases. */
  eventLoopP99Ms(): number {
    return this.#loop.percentile(99) / 1e6;
  }

  shiftClock(ms: number): void {
    shiftClock(ms);
  }

  #serve(listener: Listener): number {
    this.#coordinator.serve(listener);
    this.#reading ??= this.#readAll();
    return listener.address.port;
  }

  /** Reads what Clients say to it. */
  async #readAll(): Promise<void> {
    for await (const channel of this.#coordinator.incomingChannels) void this.#readChannel(channel).catch(() => {});
  }

  async #readChannel(channel: Channel): Promise<void> {
    for await (const stream of channel.incomingUnidirectionalStreams) for await (const _ of stream);
  }
}
