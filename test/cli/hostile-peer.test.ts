/** What a sender, or a receiver, that keeps to no rules can do to the other end: end its own channel. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { Conflicts } from "../../src/cli/files/conflict.ts";
import { ReceivedFolder } from "../../src/cli/files/received-folder.ts";
import { Receiving } from "../../src/cli/files/receiving.ts";
import type { ReceivedEntry } from "../../src/cli/files/receiving.ts";
import { Sending } from "../../src/cli/files/sending.ts";
import type { SentItem } from "../../src/cli/files/outgoing.ts";
import { walk } from "../../src/cli/files/walk.ts";
import type { Found } from "../../src/cli/files/walk.ts";
import type { Channel, Client } from "../../src/index.ts";
import { Hub, memoryKind, next, rejection } from "../support/hub.ts";

const protocol = "conec-files/1";
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

let hub: Hub;
let [alice, bob]: Client[] = [];
let base: string;
let into: string;
beforeAll(async () => {
  hub = await Hub.start(memoryKind);
  [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
});
afterAll(() => hub.close());
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "conec-hostile-"));
  into = join(base, "in");
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** The hostile end of a channel: writes what it likes, and reads JSON. */
class Peer {
  readonly channel: Channel;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  async say(message: object | string | Uint8Array): Promise<void> {
    if (this.#writer === undefined) {
      this.#writer = (await this.channel.createUnidirectionalStream({ name: protocol })).getWriter();
      this.#writer.closed.catch(() => {});
    }
    const text = typeof message === "string" ? message : JSON.stringify(message);
    await this.#writer.write(message instanceof Uint8Array ? message : Buffer.from(text)).catch(() => {});
  }

  /** Resolves when the stream is open; what it resolves with, when it was received. */
  async content(
    metadata: Record<string, number>,
    bytes: string,
    name = "content",
  ): Promise<{ received: Promise<void> }> {
    const writer = (await this.channel.createUnidirectionalStream({ name, metadata })).getWriter();
    writer.closed.catch(() => {});
    await writer.write(Buffer.from(bytes)).catch(() => {});
    return { received: writer.close().catch(() => {}) }; // who breaks the rules may wait for that for long
  }

  /** What the other end says, one by one. */
  async answers(): Promise<() => Promise<Record<string, unknown>>> {
    const readable = await next(this.channel.incomingUnidirectionalStreams);
    return async () => JSON.parse(Buffer.from(await next(readable)).toString()) as Record<string, unknown>;
  }
}

async function receiving() {
  const [mine, theirs] = await hub.link(alice!, bob!);
  const entries: ReceivedEntry[] = [];
  const stop = new AbortController();
  const done = Receiving.run({
    channel: theirs,
    folder: await ReceivedFolder.open(into),
    conflicts: new Conflicts("refuse"),
    owner: "alice",
    busy: new Set(),
    signal: stop.signal,
    onExpected: () => {},
    onBytes: () => {},
    onEntry: (news) => entries.push(news),
  });
  done.catch(() => {});
  return { peer: new Peer(mine), done, entries, close: () => mine.close().catch(() => {}) };
}

const file = (entry: number, path: unknown, size: unknown = 1) => ({ type: "entry", entry, kind: "file", path, size });

describe("a receiver", () => {
  test.each<[string, (peer: Peer) => Promise<unknown>]>([
    ["no JSON", (peer) => peer.say("nonsense")],
    ["no UTF-8", (peer) => peer.say(new Uint8Array([0xff]))],
    ["an unknown type", (peer) => peer.say({ type: "boo" })],
    ["a message that is too long", (peer) => peer.say({ type: "end", more: "x".repeat(40_000) })],
    ["a path that is none", (peer) => peer.say(file(0, "../x"))],
    ["an empty path", (peer) => peer.say(file(0, []))],
    [
      "a path of 65 parts",
      (peer) =>
        peer.say(
          file(
            0,
            Array.from({ length: 65 }, () => "x"),
          ),
        ),
    ],
    ["a size below 0", (peer) => peer.say(file(0, ["x"], -1))],
    ["a size of no integer", (peer) => peer.say(file(0, ["x"], 1e300))],
    ["a time beyond all", (peer) => peer.say({ ...file(0, ["x"]), modifiedMs: 2 ** 53 - 1 })],
    ["setuid", (peer) => peer.say({ ...file(0, ["x"]), mode: 0o4755 })],
    ["a number twice", async (peer) => (await peer.say(file(0, ["x"])), await peer.say(file(0, ["y"])))],
    ["a sum of nothing", (peer) => peer.say({ type: "sum", entry: 5, size: 0, sha256: emptySha256 })],
    ["content of nothing", (peer) => peer.content({ entry: 5, from: 0 }, "x")],
    ["content of what is no number", (peer) => peer.content({ from: 0 }, "x")],
    ["a stream of another name", (peer) => peer.content({}, "x", "boo")],
    [
      "too many entries at once",
      async (peer) => {
        for (let entry = 0; entry < 66; entry += 1) await peer.say(file(entry, [`x${entry}`]));
      },
    ],
    [
      "more than was said",
      async (peer) => (await peer.say(file(0, ["x"], 1)), await peer.content({ entry: 0, from: 0 }, "xx")),
    ],
    [
      "content from the middle",
      async (peer) => (await peer.say(file(0, ["x"], 9)), await peer.content({ entry: 0, from: 4 }, "x")),
    ],
    [
      "content twice",
      async (peer) => {
        await peer.say(file(0, ["x"], 9));
        for (let round = 0; round < 5; round += 1) await peer.content({ entry: 0, from: 0 }, "123456789");
      },
    ],
  ])("ends the channel for %s", async (_name, act) => {
    const { peer, done, close } = await receiving();
    await act(peer);
    expect(await rejection(done)).toMatchObject({ code: "protocol-error" });
    expect(readdirSync(into).filter((name) => !name.endsWith(".conec-part"))).toEqual([]);
    await close();
  });

  test("throws away what has another checksum, and goes on", async () => {
    const { peer, done, entries, close } = await receiving();
    await peer.say(file(0, ["x"], 2));
    const answer = await peer.answers();
    expect(await answer()).toEqual({ type: "want", entry: 0, from: 0 });
    await (
      await peer.content({ entry: 0, from: 0 }, "xx")
    ).received;
    await peer.say({ type: "sum", entry: 0, size: 2, sha256: emptySha256 });
    expect(await answer()).toMatchObject({ type: "refused", entry: 0, code: "differs" });
    await peer.say({ type: "end" });
    await done;
    expect(entries).toEqual([expect.objectContaining({ result: "refused", code: "differs" })]);
    expect(readdirSync(into)).toEqual([]);
    await close();
  });

  test("tells nothing of files that are there: the sender has to say the checksum first", async () => {
    const { peer, entries, close } = await receiving();
    writeFileSync(join(into, "secret"), "12");
    await peer.say(file(0, ["secret"], 2));
    const answer = await peer.answers();
    expect(await answer()).toEqual({ type: "compare", entry: 0 });
    await peer.say({ type: "sum", entry: 0, size: 2, sha256: emptySha256 });
    expect(await answer()).toMatchObject({ type: "refused", code: "exists" });
    expect(entries).toHaveLength(1);
    await close();
  });

  test("whatever it is called, nothing gets out of the folder", async () => {
    const part = fc.oneof(
      fc.constantFrom("..", ".", "", "/", "/tmp", "..\\..", "C:\\x", "a/b", "x\0", "~", "CON", "a", "b"),
      fc.string({ maxLength: 6 }),
    );
    const { peer, close } = await receiving();
    await peer.say(file(0, ["first"], 0));
    const answer = await peer.answers();
    await answer();
    await (
      await peer.content({ entry: 0, from: 0 }, "")
    ).received;
    await peer.say({ type: "sum", entry: 0, size: 0, sha256: emptySha256 });
    await answer();
    let entry = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (path) => {
        entry += 1;
        await peer.say(file(entry, path, 0));
        const { type } = await answer();
        if (type === "want") {
          await (
            await peer.content({ entry, from: 0 }, "")
          ).received;
          await peer.say({ type: "sum", entry, size: 0, sha256: emptySha256 });
          await answer();
        } else if (type === "compare") {
          await peer.say({ type: "gone", entry, message: "" });
          await answer();
        } else expect(type).toBe("refused");
        expect(readdirSync(base)).toEqual(["in"]);
      }),
      { numRuns: 150 },
    );
    await close();
  });
});

describe("a sender", () => {
  async function sending() {
    const [mine, theirs] = await hub.link(alice!, bob!);
    const path = join(base, "x");
    writeFileSync(path, "12345");
    const results: SentItem[] = [];
    const items = walk([path]) as AsyncIterable<Found>;
    const done = Sending.run({
      channel: mine,
      items,
      signal: new AbortController().signal,
      onBytes: () => {},
      onItem: (_item, result) => results.push(result),
    });
    done.catch(() => {});
    return { peer: new Peer(theirs), done, results, close: () => theirs.close().catch(() => {}) };
  }

  test.each<[string, object | string]>([
    ["no JSON", "nonsense"],
    ["an unknown type", { type: "boo", entry: 0 }],
    ["an entry that there is not", { type: "compare", entry: 7 }],
    ["more than there is", { type: "want", entry: 0, from: 6, sha256: emptySha256 }],
    ["a place below 0", { type: "want", entry: 0, from: -1 }],
  ])("ends the channel for %s", async (_name, message) => {
    const { peer, done, close } = await sending();
    const answer = await peer.answers();
    expect(await answer()).toMatchObject({ type: "entry", entry: 0, path: ["x"], size: 5 });
    await peer.say(message);
    expect(await rejection(done)).toMatchObject({ code: "protocol-error" });
    await close();
  });

  test("does not send the same twice for one wish", async () => {
    const { peer, done, close } = await sending();
    const answer = await peer.answers();
    await answer();
    await peer.say({ type: "want", entry: 0, from: 0 });
    await peer.say({ type: "want", entry: 0, from: 0 });
    await expect(next(peer.channel.incomingUnidirectionalStreams).then(next)).resolves.toEqual(
      new Uint8Array(Buffer.from("12345")),
    );
    expect(await rejection(done)).toMatchObject({ code: "protocol-error" });
    await close();
  });

  test("begins anew when the receiver's beginning is not that of the file", async () => {
    const { peer, done, results, close } = await sending();
    const answer = await peer.answers();
    await answer();
    await peer.say({ type: "want", entry: 0, from: 3, sha256: emptySha256 });
    const content = await next(peer.channel.incomingUnidirectionalStreams);
    expect(content.metadata).toEqual({ entry: 0, from: 0 });
    expect(Buffer.from(await next(content)).toString()).toBe("12345");
    expect(await answer()).toMatchObject({ type: "sum", size: 5 });
    await peer.say({ type: "kept", entry: 0, name: "x", same: false });
    await done;
    expect(results).toEqual([expect.objectContaining({ result: "kept", size: 5 })]);
    expect(readFileSync(join(base, "x"), "utf8")).toBe("12345");
    await close();
  });
});
