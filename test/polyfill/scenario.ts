/**
 * What conec and its users do with what conec/polyfill installs; runs in Node and in a page (built by build.ts). Each
 * entry of the result is one promise of the polyfill.
 */
import "../../src/polyfill/index.ts";

import { ReadableStream as ForeignReadableStream } from "web-streams-polyfill";

import { Client, Coordinator } from "../../src/index.ts";
import type { Channel } from "../../src/index.ts";
import { listen, memory } from "../../src/transports/memory/index.ts";

export const expected = {
  "loops over channels, streams and messages": ["bob", "log", "hello", "world"],
  "loop to the end": [1, 2, 3, "free"],
  "loop left early": [1, "cancelled: undefined", "free"],
  "loop left early with preventCancel": [1, 2, "free"],
  "loop over a stream that breaks": [1, "broken", "free"],
  "locked while it is iterated": ["TypeError"],
  "from an array": ["a", "b"],
  "from an async generator, cancelled": ["a", "finally"],
  "from a stream of web-streams-polyfill into a conec stream": ["from", "afar"],
  "from nothing that can be iterated": ["TypeError", "TypeError"],
  "await using": ["closed"],
};

export async function scenario(): Promise<Record<keyof typeof expected, unknown[]>> {
  const listener = await listen();
  const coordinator = new Coordinator();
  coordinator.serve(listener);
  const url = `https://localhost:${listener.address.port}`;
  const alice = await Client.connect(url, { transport: memory(), id: "alice" });
  const bob = await Client.connect(url, { transport: memory(), id: "bob" });
  await coordinator.introduce("alice", "bob");
  const channel = (await bob.incomingChannels.getReader().read()).value!;

  const received = loops(alice);
  await send(channel, "log", streamOf([encode("hello"), encode("world")]));
  const [peer, name, ...texts] = await received;

  const afar = new ForeignReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(encode("from"));
      controller.enqueue(encode("afar"));
      controller.close();
    },
  });
  const back = collectNext(channel);
  const aliceChannel = alicesChannel!;
  await send(aliceChannel, "", from(afar));

  const result = {
    "loops over channels, streams and messages": [peer, name, ...texts],
    "loop to the end": await iterate(streamOf([1, 2, 3])),
    "loop left early": await iterate(streamOf([1, 2, 3]), { leaveAfter: 1 }),
    "loop left early with preventCancel": await leaveAndGoOn(streamOf([1, 2, 3])),
    "loop over a stream that breaks": await iterate(streamOf([1, new Error("broken")])),
    "locked while it is iterated": [await nameOfError(() => lockedTwice())],
    "from an array": await iterate(from(["a", "b"])).then((items) => items.slice(0, 2)),
    "from an async generator, cancelled": await cancelledGenerator(),
    "from a stream of web-streams-polyfill into a conec stream": await back,
    "from nothing that can be iterated": [
      await nameOfError(() => from(undefined)),
      await nameOfError(() => from({ [Symbol.iterator]: () => 1 })),
    ],
    "await using": await dispose(bob),
  };
  await alice.close();
  await coordinator.close();
  return result;
}

let alicesChannel: Channel | undefined;

async function loops(client: Client): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const channel of client.incomingChannels.values({ preventCancel: true })) {
    alicesChannel = channel;
    seen.push(channel.peer.id);
    for await (const readable of channel.incomingUnidirectionalStreams) {
      seen.push(readable.name);
      for await (const message of readable) seen.push(new TextDecoder().decode(message));
      return seen;
    }
  }
  return seen;
}

async function collectNext(channel: Channel): Promise<string[]> {
  const { value } = await channel.incomingUnidirectionalStreams.getReader().read();
  const texts: string[] = [];
  for await (const message of value!) texts.push(new TextDecoder().decode(message));
  return texts;
}

async function send(channel: Channel, name: string, source: ReadableStream<Uint8Array>): Promise<void> {
  await source.pipeTo(await channel.createUnidirectionalStream({ name }));
}

/** The items of a stream, then what it was cancelled with or broke with, then whether it is locked. */
async function iterate<T>(stream: ReadableStream<T>, { leaveAfter = Infinity } = {}): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const item of stream) {
      seen.push(item);
      if (seen.length === leaveAfter) break;
    }
  } catch (error) {
    seen.push((error as Error).message);
  }
  if (leaveAfter < Infinity) seen.push(`cancelled: ${String(cancelledWith.get(stream))}`);
  return [...seen, stream.locked ? "locked" : "free"];
}

async function leaveAndGoOn<T>(stream: ReadableStream<T>): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const item of stream.values({ preventCancel: true })) {
    seen.push(item);
    break;
  }
  for await (const item of stream) {
    seen.push(item);
    break;
  }
  return [...seen, stream.locked ? "locked" : "free"];
}

function lockedTwice(): unknown {
  const stream = streamOf([1]);
  stream.values();
  return stream.values();
}

async function cancelledGenerator(): Promise<unknown[]> {
  const seen: unknown[] = [];
  const generate = async function* () {
    try {
      yield "a";
      yield "b";
    } finally {
      seen.push("finally");
    }
  };
  const reader = from(generate()).getReader();
  seen.push((await reader.read()).value);
  await reader.cancel();
  return seen;
}

async function dispose(client: Client): Promise<unknown[]> {
  await client[Symbol.asyncDispose]();
  return [await client.closed.then(() => "closed")];
}

async function nameOfError(call: () => unknown): Promise<string> {
  try {
    await call();
    return "none";
  } catch (error) {
    return (error as Error).name;
  }
}

const cancelledWith = new WeakMap<ReadableStream, unknown>();

function streamOf<T>(items: (T | Error)[]): ReadableStream<T> {
  let next = 0;
  const stream: ReadableStream<T> = new ReadableStream<T>(
    {
      pull: (controller) => {
        const item = items[next];
        next += 1;
        if (item instanceof Error) controller.error(item);
        else if (item === undefined) controller.close();
        else controller.enqueue(item);
      },
      cancel: (reason) => void cancelledWith.set(stream, reason),
    },
    { highWaterMark: 0 },
  );
  cancelledWith.set(stream, "not");
  return stream;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** TypeScript's DOM library has no ReadableStream.from yet. */
function from(source: unknown): ReadableStream<Uint8Array> {
  return (ReadableStream as unknown as { from(source: unknown): ReadableStream<Uint8Array> }).from(source);
}
