/** What lies between the QUIC loop and the kernel, with a kernel that says anything. */
import { setImmediate } from "node:timers/promises";

import * as fc from "fast-check";
import { test } from "vitest";

import { BatchEndpoint } from "../../src/transports/quic/udp/batch-endpoint.ts";
import { mmsghdr } from "../../src/transports/quic/udp/layout.ts";
import type { UdpAddress } from "../../src/transports/quic/udp/udp-endpoint.ts";
import { fuzz } from "./fuzz.ts";
import { UdpKernel } from "./udp-kernel.ts";
import type { Datagram, Message, Outcome } from "./udp-kernel.ts";

/** One for all runs: the memory that it knows is used again. */
const kernel = new UdpKernel();

const places: UdpAddress[] = [1, 2, 3].map((port) => ({ host: "127.0.0.1", port }));

interface Outgoing {
  /** Of the packet, at most. */
  room: number;
  /** How much of it is used. */
  fill: number;
  place: UdpAddress;
  /** What is done after it. */
  after: "nothing" | "submit" | "wake" | "copy";
}

const outgoing: fc.Arbitrary<Outgoing> = fc.record({
  room: fc.constantFrom(1200, 1452, 16_376),
  fill: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
  place: fc.constantFrom(...places),
  after: fc.constantFrom("nothing", "nothing", "nothing", "submit", "wake", "copy"),
});

const harmless: fc.Arbitrary<Outcome> = fc.oneof(
  fc.integer({ min: 1, max: 5 }),
  fc.constantFrom("again", "intr", "refused", "invalid"),
);

fuzz(
  "udp",
  "what is sent arrives once and in order, however the kernel takes it",
  fc.asyncProperty(
    fc.array(outgoing, { maxLength: 300 }),
    fc.array(fc.oneof({ weight: 9, arbitrary: harmless }, fc.constant("full" as const)), { maxLength: 40 }),
    fc.boolean(),
    sendAll,
  ),
);

test("a packet that comes when the last room is taken, and the socket is full, is not lost", async () => {
  const packets = [16_376, 16_376, 16_376, 16_376, 1200, 16_376, 16_376, 16_376, 16_376].map(
    (room, index): Outgoing => ({ room, fill: 1, place: places[index === 1 ? 2 : 0]!, after: "nothing" }),
  );
  await sendAll(packets, ["again"], true);
});

/** @param isPatient whether it waits while the socket is full */
async function sendAll(packets: readonly Outgoing[], outcomes: readonly Outcome[], isPatient: boolean): Promise<void> {
  kernel.sent = [];
  kernel.outcomes = [...outcomes];
  const endpoint = BatchEndpoint.open(kernel, { family: 4, bind: places[0] });
  endpoint.receive({ onDatagram() {}, onError() {} });
  const stream: Datagram[] = [];
  for (const [index, { room, fill, place, after }] of packets.entries()) {
    const text = String.fromCodePoint(33 + (index % 200)).repeat(Math.max(1, Math.floor(room * fill)));
    const buffer = endpoint.packetBuffer(room);
    if (buffer.length !== room) throw new Error(`${buffer.length} bytes of room instead of ${room}`);
    Buffer.from(buffer.buffer, buffer.byteOffset, room).write(text, "latin1");
    if (after === "copy") {
      // In the midst of a packet, into which it must not write.
      endpoint.sendCopy(Buffer.from("copy"), place);
    }
    endpoint.transmit(text.length, place);
    stream.push({ text, port: place.port });
    if (after === "submit") endpoint.submit();
    if (after === "wake") await wake();
    // Who goes on although the socket is full may lose what there is no room for.
    if (isPatient) while (kernel.isWatchingWritable) await wake();
  }
  for (let tries = 0; tries <= outcomes.length; tries += 1) endpoint.submit();
  if (kernel.isWatchingWritable) throw new Error("It still waits for room");
  await endpoint.close();
  assertArrived(
    stream,
    kernel.sent.filter(({ text }) => text !== "copy"),
    !isPatient || outcomes.includes("full"),
  );
}

const writtenByKernel: ReadonlySet<number> = new Set([
  mmsghdr.nameLength,
  mmsghdr.controlLength,
  mmsghdr.flags,
  mmsghdr.messageLength,
]);

const joined: fc.Arbitrary<Message> = fc
  .record({
    segmentBytes: fc.integer({ min: 1, max: 1500 }),
    segments: fc.integer({ min: 1, max: 40 }),
    last: fc.integer({ min: 1, max: 1500 }),
    from: fc.constantFrom(...places, { host: "10.0.0.1", port: 1 }),
  })
  .map(({ segmentBytes, segments, last, from }) => {
    const text = "m".repeat(segmentBytes * (segments - 1) + Math.min(last, segmentBytes));
    return { text, segmentBytes, from };
  });

fuzz(
  "udp",
  "what the kernel has joined is taken apart as it says",
  fc.asyncProperty(fc.array(joined, { maxLength: 30 }), async (messages) => {
    const heard = await heardOf(messages);
    const expected = messages.flatMap(({ text, segmentBytes, from }) =>
      Array.from({ length: Math.ceil(text.length / segmentBytes) }, (_, index) => {
        const bytes = Math.min(segmentBytes, text.length - index * segmentBytes);
        return `${from.host}:${from.port} ${bytes}`;
      }),
    );
    if (JSON.stringify(heard) !== JSON.stringify(expected)) throw new Error(`${heard.join()} for ${expected.join()}`);
  }),
);

fuzz(
  "udp",
  "whatever the kernel says, nothing is handed over that is not there",
  fc.asyncProperty(
    fc.array(joined, { minLength: 1, maxLength: 8 }),
    fc.array(fc.tuple(fc.nat(15), fc.oneof(fc.nat(0x1_0000), fc.nat(0xffff_ffff))), { minLength: 1, maxLength: 40 }),
    async (messages, words) => {
      let next = 0;
      kernel.scribble = (memory, which) => {
        const [at, value] = words[next++ % words.length]!;
        if (which === "control" ? at < memory.length : writtenByKernel.has(at)) memory[at] = value;
      };
      try {
        await heardOf(messages);
      } finally {
        kernel.scribble = undefined;
      }
    },
  ),
);

/** What an endpoint hands over of these messages, each as its source and length. */
async function heardOf(messages: readonly Message[]): Promise<string[]> {
  kernel.waiting = [...messages];
  kernel.outcomes = [];
  const endpoint = BatchEndpoint.open(kernel, { family: 4, bind: places[0] });
  const heard: string[] = [];
  endpoint.receive({
    onDatagram: (datagram, { address, port }) => {
      if (datagram.length === 0 || datagram.length > 65_536) throw new Error(`A datagram of ${datagram.length} bytes`);
      heard.push(`${address}:${port} ${datagram.length}`);
    },
  });
  while (kernel.waiting.length > 0) {
    await wake();
  }
  await endpoint.close();
  return heard;
}

/** The socket is ready. Resolves when the endpoint has had its turn. */
async function wake(): Promise<void> {
  kernel.wake();
  await setImmediate();
}

/** All of it, or if some may be lost, what has arrived is in order and nothing is there twice. */
function assertArrived(expected: Datagram[], sent: Datagram[], lossy: boolean): void {
  let at = 0;
  for (const each of sent) {
    while (at < expected.length && !isSame(expected[at]!, each)) at += 1;
    if (at === expected.length)
      throw new Error(`${each.text.length} bytes to ${each.port} were not to be sent by then`);
    at += 1;
  }
  if (!lossy && sent.length < expected.length) throw new Error(`${sent.length} of ${expected.length} were sent`);
}

function isSame(one: Datagram, other: Datagram): boolean {
  return one.port === other.port && one.text === other.text;
}
