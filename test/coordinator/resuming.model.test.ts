/**
 * Two Clients with a channel between them, and anything that may happen to it in any order: a model that knows what was
 * written, against real Clients and a real Coordinator. Connections are lost at one side or both, for as long as it pleases.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Client, Coordinator } from "../../src/index.ts";
import type { Channel, ConecError, Listener, MessageReadable, MessageWritable } from "../../src/index.ts";
import { listen, memory } from "../../src/transports/memory/index.ts";
import type { MemoryListener } from "../../src/transports/memory/index.ts";
import { next } from "../support/hub.ts";
import { isMessage, message } from "../support/messages.ts";
import { refuseUnhandledRejections, turns } from "../streams/message-pipe.ts";

refuseUnhandledRejections();

type Side = 0 | 1;

interface Command {
  do: "open" | "write" | "close" | "abort" | "cancel" | "read" | "turn" | "cut" | "cut both" | "return";
  side: Side;
  /** Which of the streams that are there. */
  which: number;
  length: number;
}

const command: fc.Arbitrary<Command> = fc.record({
  do: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Command["do"][]>("open", "close", "turn", "cut", "return") },
    { weight: 8, arbitrary: fc.constantFrom<Command["do"][]>("write", "read") },
    { weight: 1, arbitrary: fc.constantFrom<Command["do"][]>("abort", "cancel", "cut both") },
  ),
  side: fc.constantFrom<Side>(0, 1),
  which: fc.nat({ max: 20 }),
  length: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 20_000 })),
});

/** One stream: what was written, and what the reader has seen. */
interface Stream {
  readonly writable: MessageWritable;
  readonly written: number[];
  readable?: MessageReadable;
  received: number;
  state: "open" | "closing" | "aborted" | "cancelled";
  /** Of `close`. */
  closed?: Promise<void>;
}

const never = { firstDelayMs: 2 ** 31 - 1, maxDelayMs: 2 ** 31 - 1 };

class World {
  readonly coordinator = new Coordinator();
  readonly listeners: MemoryListener[] = [];
  readonly clients: Client[] = [];
  readonly channels: Channel[] = [];
  /** Opened by each side, in order. */
  readonly streams: [Stream[], Stream[]] = [[], []];
  #number = 0;

  static async create(): Promise<World> {
    const world = new World();
    for (const id of ["alice", "bob"]) {
      const listener = await listen();
      world.listeners.push(listener);
      world.coordinator.serve(listener);
      world.clients.push(await connect(listener, id));
    }
    await world.coordinator.introduce("alice", "bob");
    for (const { incomingChannels } of world.clients) world.channels.push(await next(incomingChannels));
    return world;
  }

  async run({ do: what, side, which, length }: Command): Promise<void> {
    const client = this.clients[side]!;
    const own = this.#pick(side, which);
    const theirs = this.#pick((1 - side) as Side, which);
    switch (what) {
      case "turn":
        return await turns(1);
      case "cut":
        return this.listeners[side]!.cut();
      case "cut both":
        for (const listener of this.listeners) listener.cut();
        return;
      case "return":
        await turns(1);
        if (client.state === "reconnecting") client.reconnect();
        return;
      case "open": {
        if (this.streams[side].length >= 8) return;
        const writable = await this.channels[side]!.createUnidirectionalStream();
        this.streams[side].push({ writable, written: [], received: 0, state: "open" });
        return;
      }
      case "write": {
        if (own?.state !== "open") return;
        const number = this.#number++;
        if (own.writable.tryWrite(message(number, length))) own.written.push(number * 2 ** 20 + length);
        return;
      }
      case "close":
        if (own?.state !== "open") return;
        own.state = "closing";
        own.closed = own.writable.close();
        own.closed.catch(() => {});
        return;
      case "abort":
        if (own?.state !== "open") return;
        own.state = "aborted";
        return void own.writable.abort("aborted").catch(() => {});
      case "read":
        if (theirs === undefined) return;
        await this.#take((1 - side) as Side, 0);
        return this.#read(theirs);
      case "cancel":
        if (theirs?.readable === undefined || theirs.state !== "open") return;
        theirs.state = "cancelled";
        return void theirs.readable.cancel("cancelled").catch(() => {});
    }
  }

  /** All connections come back, and every stream comes to its end. */
  async settle(): Promise<void> {
    await turns(2);
    for (const client of this.clients) if (client.state === "reconnecting") client.reconnect();
    for (const side of [0, 1] as const) {
      await this.#take(side, this.streams[side].length);
      for (const stream of this.streams[side]) {
        if (stream.state === "open") stream.closed = stream.writable.close();
        if (stream.state === "open") stream.state = "closing";
        const reading = this.#readAll(stream);
        if (stream.state === "closing") await stream.closed;
        await reading;
      }
    }
    for (const client of this.clients) await client.close();
    await this.coordinator.close();
  }

  /** Takes streams that a side has opened, until there are so many, or as many as are there. */
  async #take(side: Side, least: number): Promise<void> {
    const streams = this.streams[side];
    const incoming = this.channels[1 - side]!.incomingUnidirectionalStreams;
    for (let i = streams.findIndex(({ readable }) => readable === undefined); i >= 0 && i < least; i += 1) {
      streams[i]!.readable ??= await next(incoming);
    }
  }

  #read(stream: Stream): void {
    try {
      for (let got = stream.readable?.tryRead(); got !== undefined; got = stream.readable!.tryRead())
        this.#check(stream, got);
    } catch (error) {
      expect(stream.state).toBe("aborted");
      expect(error).toMatchObject({ code: "aborted" } satisfies Partial<ConecError>);
    }
  }

  async #readAll(stream: Stream): Promise<void> {
    const { readable, state } = stream;
    if (state === "cancelled") return;
    try {
      for await (const got of readable!) this.#check(stream, got);
      expect(state).toBe("closing");
      expect(stream.received).toBe(stream.written.length);
    } catch (error) {
      if (state !== "aborted") throw error;
      expect(error).toMatchObject({ code: "aborted" });
    }
  }

  #check(stream: Stream, got: Uint8Array): void {
    const expected = stream.written[stream.received]!;
    stream.received += 1;
    expect(isMessage(got, Math.floor(expected / 2 ** 20), expected % 2 ** 20)).toBe(true);
  }

  #pick(side: Side, which: number): Stream | undefined {
    const streams = this.streams[side];
    return streams[which % Math.max(1, streams.length)];
  }
}

function connect({ address }: Listener, id: string): Promise<Client> {
  return Client.connect(`https://localhost:${address.port}`, { transport: memory(), id, reconnect: never });
}

test("whatever happens, in whatever order: every message once, in order, and every promise settles", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 120 }), async (commands) => {
      const world = await World.create();
      for (const each of commands) await world.run(each);
      await world.settle();
    }),
    { numRuns: 150 },
  );
}, 120_000);
