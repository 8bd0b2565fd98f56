/** Files from one process to another through a third. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Conec, eventsOf } from "./conec.ts";
import type { Program } from "./conec.ts";

let conec: Conec;
beforeAll(async () => {
  conec = new Conec();
  await conec.useCoordinator();
}, 60_000);
afterAll(() => conec.close());

let counter = 0;
/** A folder to send from, one to receive into, and a name for the receiver. */
function place(): { from: string; into: string; bob: string } {
  counter += 1;
  return { from: conec.newFolder(`from-${counter}`), into: conec.newFolder(`into-${counter}`), bob: `bob-${counter}` };
}

function receiver(bob: string, into: string, ...more: string[]): Program {
  return conec.start(["receive", "--as", bob, "--into", into, "--json", ...more], { input: "" });
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes that are not the same anywhere. */
function bytes(length: number, seed = 1): Buffer {
  const all = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) all.writeUInt32LE((at * 2_654_435_761 + seed) % 2 ** 32, at);
  return all;
}

test("a file and a folder arrive with content, permissions and times; the checksums are told at both ends", async () => {
  const { from, into, bob } = place();
  mkdirSync(join(from, "holiday", "rome"), { recursive: true });
  mkdirSync(join(from, "holiday", "empty"));
  writeFileSync(join(from, "big.bin"), bytes(1_000_001));
  writeFileSync(join(from, "holiday", "list.txt"), "ein Päckchen\n");
  writeFileSync(join(from, "holiday", "rome", "run.sh"), "#!/bin/sh\n");
  chmodSync(join(from, "holiday", "rome", "run.sh"), 0o755);
  writeFileSync(join(from, "holiday", "nothing"), "");
  symlinkSync("/etc/passwd", join(from, "holiday", "link"));
  for (const name of ["holiday/rome/run.sh", "holiday/rome"]) utimesSync(join(from, name), 1e9, 1_234_567_890);

  const taking = receiver(bob, into, "--once");
  const sent = await conec.run(["send", "big.bin", "holiday", "--to", bob, "--json"], { cwd: from });
  expect(sent).toMatchObject({ code: 0 });
  const received = await taking.ended;
  expect(received).toMatchObject({ code: 0 });

  const sum = sha256(bytes(1_000_001));
  expect(eventsOf(sent)).toContainEqual(expect.objectContaining({ event: "sent", path: "big.bin", sha256: sum }));
  expect(eventsOf(received)).toContainEqual(
    expect.objectContaining({ event: "received", path: "big.bin", sha256: sum }),
  );
  expect(eventsOf(sent)).toContainEqual(expect.objectContaining({ event: "skipped", source: "holiday/link" }));
  expect(eventsOf(sent).at(-1)).toMatchObject({ event: "done", files: 4, failed: 0 });
  expect(readFileSync(join(into, "big.bin")).equals(bytes(1_000_001))).toBe(true);
  expect(readFileSync(join(into, "holiday/list.txt"), "utf8")).toBe("ein Päckchen\n");
  expect(readdirSync(join(into, "holiday")).sort()).toEqual(["empty", "list.txt", "nothing", "rome"]);
  expect(statSync(join(into, "holiday/rome/run.sh")).mode & 0o777).toBe(0o755 & ~process.umask());
  for (const name of ["holiday/rome/run.sh", "holiday/rome"]) {
    expect(statSync(join(into, name)).mtimeMs).toBe(1_234_567_890_000);
  }
});

test("standard input", async () => {
  const { into, bob } = place();
  const taking = receiver(bob, into, "--once");
  const input = bytes(300_000);
  expect(await conec.run(["send", "-", "--name", "made.tar", "--to", bob], { input })).toMatchObject({ code: 0 });
  expect((await taking.ended).code).toBe(0);
  expect(readFileSync(join(into, "made.tar")).equals(input)).toBe(true);
});

/** So much that a receiver is killed in the middle of it. */
const longBytes = process.env["CONEC_SEND_BYTES"] === undefined ? 50_000_000 : Number(process.env["CONEC_SEND_BYTES"]);

test(
  "a receiver that is killed and started again goes on from where it was, and so does the sender, by itself",
  async () => {
    const { from, into, bob } = place();
    const content = bytes(Math.min(longBytes, 50_000_000));
    const path = join(from, "long.bin");
    writeFileSync(path, "");
    for (let written = 0; written < longBytes; written += content.length) writeFileSync(path, content, { flag: "a" });
    const size = statSync(path).size;

    const first = receiver(bob, into, "--once");
    const sending = conec.start(["send", "long.bin", "--to", bob, "--json"], { cwd: from, input: "" });
    await partOver(into, size / 8);
    first.kill("SIGKILL");
    await first.ended;
    const part = readdirSync(into).find((name) => name.endsWith(".conec-part"))!;
    const kept = statSync(join(into, part)).size;
    expect(kept).toBeLessThan(size);

    const second = receiver(bob, into, "--once");
    const received = await second.ended;
    expect(received).toMatchObject({ code: 0 });
    const sent = await sending.ended;
    expect(sent).toMatchObject({ code: 0 });
    expect(eventsOf(sent).map(({ event }) => event)).toContain("lost");
    const done = eventsOf(received).find(({ event }) => event === "done")!;
    // What was there was not sent again.
    expect(done["bytes"]).toBe(size - kept);
    const { sha256: sum } = eventsOf(received).find(({ event }) => event === "received")!;
    expect(sum).toBe(await sha256OfFile(path));
    expect(await sha256OfFile(join(into, "long.bin"))).toBe(sum);
    expect(readdirSync(into)).toEqual(["long.bin"]);
  },
  longBytes > 50_000_000 ? 600_000 : 30_000,
);

async function sha256OfFile(path: string): Promise<string> {
  const { createReadStream } = await import("node:fs");
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Resolves when the part of a file has so many bytes. */
async function partOver(into: string, size: number): Promise<void> {
  const { watch } = await import("node:fs/promises");
  const stop = new AbortController();
  for await (const _ of watch(into, { signal: stop.signal })) {
    const part = readdirSync(into).find((name) => name.endsWith(".conec-part"));
    if (part !== undefined && statSync(join(into, part)).size > size) return stop.abort();
  }
}

test("a part whose beginning is not that of the file any more is not built upon", async () => {
  const { from, into, bob } = place();
  const path = join(from, "log.bin");
  writeFileSync(path, bytes(25_000_000, 1));
  const first = receiver(bob, into);
  const sending = conec.start(["send", "log.bin", "--to", bob, "--json"], { cwd: from, input: "" });
  await partOver(into, 1_000_000);
  first.kill("SIGKILL");
  sending.kill("SIGINT");
  expect((await sending.ended).code).toBe(130);
  writeFileSync(path, bytes(500_000, 2));
  const second = receiver(bob, into, "--once");
  expect((await conec.run(["send", "log.bin", "--to", bob], { cwd: from })).code).toBe(0);
  expect((await second.ended).code).toBe(0);
  expect(readFileSync(join(into, "log.bin")).equals(bytes(500_000, 2))).toBe(true);
  expect(readdirSync(into)).toEqual(["log.bin"]);
});

describe("what is there already", () => {
  async function again(into: string, bob: string, ...more: string[]) {
    const from = conec.newFolder(`again-${bob}`);
    writeFileSync(join(from, "a.txt"), "new");
    const taking = receiver(bob, into, "--once", ...more);
    const sent = await conec.run(["send", "a.txt", "--to", bob, "--json"], { cwd: from });
    return { sent, received: await taking.ended };
  }

  test("with other content is never written over: refused at both ends, with what to do", async () => {
    const { into, bob } = place();
    writeFileSync(join(into, "a.txt"), "old");
    const { sent, received } = await again(into, bob);
    expect([sent.code, received.code]).toEqual([1, 1]);
    expect(sent.stderr).toMatch(/^conec: 1 of 1 were not sent: see above\n$/);
    const failed = eventsOf(sent).find(({ event }) => event === "failed");
    expect(failed).toMatchObject({ path: "a.txt", code: "exists", message: expect.stringMatching("--overwrite") });
    expect(readFileSync(join(into, "a.txt"), "utf8")).toBe("old");
    expect(readdirSync(into)).toEqual(["a.txt"]);
  });

  test("is written over with --overwrite", async () => {
    const { into, bob } = place();
    writeFileSync(join(into, "a.txt"), "older");
    const { sent } = await again(into, bob, "--overwrite");
    expect(sent.code).toBe(0);
    expect(readFileSync(join(into, "a.txt"), "utf8")).toBe("new");
  });

  test("gets a neighbour with --rename", async () => {
    const { into, bob } = place();
    writeFileSync(join(into, "a.txt"), "old");
    writeFileSync(join(into, "a (1).txt"), "old, too");
    const { sent } = await again(into, bob, "--rename");
    expect(eventsOf(sent)).toContainEqual(expect.objectContaining({ event: "sent", name: "a (2).txt" }));
    expect(readFileSync(join(into, "a (2).txt"), "utf8")).toBe("new");
    expect(readFileSync(join(into, "a.txt"), "utf8")).toBe("old");
  });

  test("with the same content is not sent again", async () => {
    const { into, bob } = place();
    writeFileSync(join(into, "a.txt"), "new");
    const { sent, received } = await again(into, bob);
    expect([sent.code, received.code]).toEqual([0, 0]);
    expect(eventsOf(sent)).toContainEqual(expect.objectContaining({ event: "sent", same: true }));
    expect(eventsOf(received)).toContainEqual(expect.objectContaining({ event: "done", bytes: 0 }));
  });

  test("a folder, or a link, of that name stays what it is, even with --overwrite", async () => {
    const { into, bob } = place();
    mkdirSync(join(into, "a.txt"));
    expect((await again(into, bob, "--overwrite")).sent.code).toBe(1);
    const other = place();
    const outside = join(conec.newFolder("outside"), "precious");
    writeFileSync(outside, "precious");
    symlinkSync(outside, join(other.into, "a.txt"));
    expect((await again(other.into, other.bob, "--overwrite")).sent.code).toBe(1);
    expect(readFileSync(outside, "utf8")).toBe("precious");
  });
});

test("a link that leads out of the folder is not followed; one that stays inside is", async () => {
  const { from, into, bob } = place();
  const outside = conec.newFolder("elsewhere");
  mkdirSync(join(into, "inside"));
  symlinkSync(outside, join(into, "out"));
  symlinkSync("inside", join(into, "in"));
  for (const name of ["out", "in"]) {
    mkdirSync(join(from, name));
    writeFileSync(join(from, name, "x"), "x");
  }
  const taking = receiver(bob, into, "--once");
  const sent = await conec.run(["send", "out", "in", "--to", bob, "--json"], { cwd: from });
  expect((await taking.ended).code).toBe(1);
  expect(eventsOf(sent)).toContainEqual(expect.objectContaining({ event: "failed", path: "out/x", code: "name" }));
  expect(readdirSync(outside)).toEqual([]);
  expect(readFileSync(join(into, "inside", "x"), "utf8")).toBe("x");
});

test("a file that changes while it is read fails for itself; the others are sent", async () => {
  const { from, into, bob } = place();
  writeFileSync(join(from, "good"), "good");
  writeFileSync(join(from, "growing"), bytes(25_000_000));
  const taking = receiver(bob, into, "--once");
  const sending = conec.start(["send", "growing", "good", "--to", bob, "--json"], { cwd: from, input: "" });
  await partOver(into, 1_000_000);
  writeFileSync(join(from, "growing"), "more", { flag: "a" });
  const sent = await sending.ended;
  expect([sent.code, (await taking.ended).code]).toEqual([1, 1]);
  const failed = { event: "failed", path: "growing", message: "It was changed while it was read" };
  expect(eventsOf(sent)).toContainEqual(expect.objectContaining(failed));
  expect(readFileSync(join(into, "good"), "utf8")).toBe("good");
  expect(existsSync(join(into, "growing"))).toBe(false);
});

test("a full disk is a clear error at both ends, and what has come stays", async (context) => {
  const { into, bob } = place();
  const script = 'mount -t tmpfs -o size=2m none "$1" && shift && exec "$@"';
  const probe = await conec.spawn("unshare", ["-rm", "sh", "-c", script, "sh", into, "true"], { input: "" }).ended;
  context.skip(probe.code !== 0, "no mounts of one's own on this machine");
  const args = [process.execPath, conec.main, "receive", "--as", bob, "--into", into, "--once", "--json"];
  // The size is not known before, so the disk gets full on the way.
  const taking = conec.spawn("unshare", ["-rm", "sh", "-c", script, "sh", into, ...args], { input: "" });
  const sent = await conec.run(["send", "-", "--to", bob, "--json"], { input: bytes(5_000_000) });
  expect(sent.code).toBe(1);
  const words = { code: "no-space", message: expect.stringMatching("No space is left on the disk of the receiver") };
  expect(eventsOf(sent)).toContainEqual(expect.objectContaining({ event: "failed", ...words }));
  expect(eventsOf(await taking.ended)).toContainEqual(expect.objectContaining({ event: "refused", ...words }));
});

test("a file for which there is no room is refused before it is sent", async () => {
  const { from, into, bob } = place();
  const { truncateSync } = await import("node:fs");
  writeFileSync(join(from, "huge"), "");
  truncateSync(join(from, "huge"), 2 ** 43 - 1); // takes no room itself
  const taking = receiver(bob, into, "--once");
  const sent = await conec.run(["send", "huge", "--to", bob, "--json"], { cwd: from });
  expect(eventsOf(sent)).toContainEqual(expect.objectContaining({ event: "failed", code: "no-space" }));
  expect((await taking.ended).code).toBe(1);
});

test("who is not in --from is refused", async () => {
  const { from, into, bob } = place();
  writeFileSync(join(from, "a"), "a");
  const taking = receiver(bob, into, "--once", "--from", "alice");
  await taking.event("listening");
  const refused = await conec.run(["send", "a", "--to", bob, "--as", "mallory"], { cwd: from });
  expect(refused.code).toBe(4);
  expect(refused.stderr).toMatch(`conec: "${bob}" does not take files from "mallory"`);
  expect((await conec.run(["send", "a", "--to", bob, "--as", "alice"], { cwd: from })).code).toBe(0);
  expect((await taking.ended).code).toBe(0);
});

test("Ctrl-C ends a sender and a receiver in the middle, cleanly, and the part stays", async () => {
  const { from, into, bob } = place();
  writeFileSync(join(from, "long"), bytes(50_000_000));
  const taking = receiver(bob, into);
  const sending = conec.start(["send", "long", "--to", bob, "--json"], { cwd: from, input: "" });
  await partOver(into, 1_000_000);
  sending.kill("SIGINT");
  const sent = await sending.ended;
  expect(sent).toMatchObject({ code: 130, stderr: "" });
  expect(await taking.event("lost")).toMatchObject({ message: "The sender was interrupted" });
  taking.kill("SIGINT");
  expect(await taking.ended).toMatchObject({ code: 130, stderr: "" });
  expect(readdirSync(into)).toEqual([expect.stringMatching(/^\.long\..*\.conec-part$/)]);
});

test("Ctrl-C ends a receiver that is in the middle of a file, whatever the sender does", async () => {
  const { from, into, bob } = place();
  const taking = receiver(bob, into);
  // A sender that has begun, and does not go on.
  const sending = conec.start(["send", "-", "--to", bob, "--json"], { cwd: from });
  sending.child.stdin.write(bytes(200_000));
  await partOver(into, 1000);
  taking.kill("SIGINT");
  expect(await taking.ended).toMatchObject({ code: 130, stderr: "" });
  const sent = await sending.ended;
  expect(sent.code).toBe(1);
  expect(sent.stderr).toBe("conec: The receiver was interrupted. What came from standard input cannot be sent again\n");
});

test("nobody who receives: waits as long as --wait says, and ends with 5", async () => {
  const { from } = place();
  writeFileSync(join(from, "a"), "a");
  const sent = await conec.run(["send", "a", "--to", "nobody", "--wait", "0.2"], { cwd: from });
  expect(sent.code).toBe(5);
  expect(sent.stderr).toMatch(/conec: "nobody" was not there within 0.2 s \(--wait\)\n$/);
});

test.each(["SIGTERM", "SIGKILL"] as const)(
  "a Coordinator that was ended by %s and is started again: the receiver comes back to it",
  async (signal) => {
    const { from, into, bob } = place();
    writeFileSync(join(from, "a"), "a");
    const state = conec.newFolder(`state-${signal}`);
    const old = { ...conec.env };
    const first = await conec.useCoordinator(["--state", state]);
    const { port } = new URL(conec.env["CONEC_URL"]!);
    const taking = receiver(bob, into, "--once");
    await taking.event("listening");
    first.kill(signal);
    await first.ended;
    const args = ["coordinator", "--port", port, "--host", "127.0.0.1", "--json", "--state", state];
    const second = conec.start(args, { input: "" });
    await second.event("listening");
    // Its next sign of life, within 5 s, is answered by a stateless reset.
    await taking.event("lost");
    await second.event("joined", { id: bob });
    expect((await conec.run(["send", "a", "--to", bob], { cwd: from })).code).toBe(0);
    expect((await taking.ended).code).toBe(0);
    Object.assign(conec.env, old);
  },
);
