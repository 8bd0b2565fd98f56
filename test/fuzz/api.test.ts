/** A program that calls anything in any order: what arrives is what was written, and every promise settles. */
import * as fc from "fast-check";
import { setImmediate } from "node:timers/promises";
import { describe, expect } from "vitest";
import { ConecError } from "../../src/index.ts";
import type { Channel, MessageReadable, MessageWritable } from "../../src/index.ts";
import { within } from "../hostile/bad-input/within.ts";
import { Hub, memoryKind, quicKind } from "../support/hub.ts";
import { isMessage, message } from "../support/messages.ts";
import { fuzz } from "./fuzz.ts";

type Call =
  | { do: "open"; from: 0 | 1 }
  | { do: "write" | "tryWrite"; stream: number; count: number; length: number }
  | { do: "close" | "abort" | "cancel"; stream: number }
  | { do: "close the channel" | "close the client"; at: 0 | 1 }
  | { do: "wait"; turns: number };

const stream = fc.nat({ max: 5 });
const at = fc.constantFrom<0 | 1>(0, 1);
const kindOf = <T extends Call["do"]>(...what: T[]) => fc.constantFrom(...what);
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: kindOf("open"), from: at }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: kindOf("write", "tryWrite"),
      stream,
      count: fc.integer({ min: 1, max: 20 }),
      length: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 70_000 })),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: kindOf("close", "close", "close", "abort", "cancel"), stream }) },
  { weight: 3, arbitrary: fc.record({ do: kindOf("wait"), turns: fc.nat({ max: 8 }) }) },
  fc.record({ do: kindOf("close the channel", "close the client"), at }),
);

/** One stream, as its writer and its reader know it. */
class Transfer {
  readonly writable: MessageWritable;
  /** Of each message that was given to it; `written` of them were taken. */
  readonly lengths: number[] = [];
  written = 0;
  received = 0;
  isClosed = false;
  isCancelled = false;
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(writable: MessageWritable) {
    this.writable = writable;
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => {});
  }

  async write(count: number, length: number): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      const index = this.lengths.push(length) - 1;
      await this.#writer.write(message(index, length));
      this.written += 1;
    }
  }

  tryWrite(count: number, length: number): void {
    for (let i = 0; i < count; i += 1) {
      if (!this.writable.tryWrite(message(this.lengths.length, length))) return;
      this.lengths.push(length);
      this.written += 1;
    }
  }

  async close(): Promise<void> {
    await this.#writer.close();
    this.isClosed = true;
  }

  abort(): Promise<void> {
    return this.#writer.abort("enough");
  }

  async read(readable: MessageReadable): Promise<void> {
    this.reader = readable.getReader();
    for (let read = await this.reader.read(); !read.done; read = await this.reader.read()) {
      const length = this.lengths[this.received];
      if (length === undefined || !isMessage(read.value, this.received, length))
        throw new Error("That was not written");
      this.received += 1;
    }
  }

  async cancel(): Promise<void> {
    this.isCancelled = true;
    await this.reader?.cancel("enough");
  }
}

describe.each([memoryKind, quicKind])("over $name", (kind) => {
  async function run(calls: Call[]): Promise<void> {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const channels = await hub.link(alice, bob);
    const transfers = new Map<string, Transfer>();
    const order: Transfer[] = [];
    const pending: Promise<unknown>[] = [];
    const settles = (promise: Promise<unknown>): void => void pending.push(promise.catch(expectTyped));
    for (const channel of channels) settles(readAll(channel, transfers, settles));

    for (const each of calls) {
      const on = "stream" in each ? order[each.stream % Math.max(1, order.length)] : undefined;
      if (each.do === "open") {
        const name = String(transfers.size);
        const opening = channels[each.from].createUnidirectionalStream({ name }).then((writable) => {
          const transfer = new Transfer(writable);
          transfers.set(name, transfer);
          order.push(transfer);
        });
        settles(opening);
        await opening.catch(() => {});
      } else if (each.do === "wait") for (let turn = 0; turn < each.turns; turn += 1) await setImmediate();
      else if (each.do === "close the channel") settles(channels[each.at].close());
      else if (each.do === "close the client") settles([alice, bob][each.at]!.close());
      else if (on !== undefined) settles((async () => await play(each, on))());
    }

    settles(hub.close());
    await within(15_000, Promise.all(pending), () => "a promise that does not settle");
    for (const { received, written, isClosed, isCancelled } of order) {
      if (isClosed && !isCancelled) expect(received).toBe(written);
    }
  }

  const calls = fc.array(call, { maxLength: 30 });
  fuzz("API", `whatever a program calls, over ${kind.name}`, fc.asyncProperty(calls, run));
});

async function play(each: Call, on: Transfer): Promise<void> {
  if (each.do === "write") await on.write(each.count, each.length);
  else if (each.do === "tryWrite") on.tryWrite(each.count, each.length);
  else if (each.do === "close" || each.do === "abort" || each.do === "cancel") await on[each.do]();
}

async function readAll(
  channel: Channel,
  transfers: Map<string, Transfer>,
  settles: (promise: Promise<unknown>) => void,
): Promise<void> {
  for await (const readable of channel.incomingUnidirectionalStreams) {
    // The writer's side knows of it once its call has resolved, which may be later.
    const known = async (): Promise<Transfer> => {
      for (let turn = 0; !transfers.has(readable.name) && turn < 1000; turn += 1) await setImmediate();
      return transfers.get(readable.name)!;
    };
    settles(known().then((transfer) => transfer.read(readable)));
  }
}

/** What conec's calls reject with: errors of its own, what was given to `abort`, and what every web stream says. */
function expectTyped(error: unknown): void {
  const isOfStreams = error instanceof TypeError && (error as { code?: string }).code !== "ERR_INTERNAL_ASSERTION";
  if (!(error instanceof ConecError) && error !== "enough" && !isOfStreams) throw error;
}
