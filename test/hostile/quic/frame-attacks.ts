import { randomBytes } from "node:crypto";

import * as fc from "fast-check";

import { anyFrame } from "./any-frame.ts";
import type { Attack } from "./attack.ts";
import { Source } from "./source.ts";
import { withAttackers, Attacker } from "./attacker.ts";
import { frames, largest, varint } from "./frames.ts";

const oneByte = Buffer.of(1);

/** Frames that no client may send, or not like this. The lowest 2 bits of a stream's id say whose it is, and which kind. */
const forbidden: Uint8Array[] = [
  Buffer.of(0x21),
  frames.handshakeDone(),
  // Lengths beyond the end of the packet, and beyond everything.
  Buffer.concat([Buffer.of(0x06), varint(0), varint(1000), oneByte]),
  Buffer.concat([Buffer.of(0x0e), varint(0), varint(0), varint(largest), oneByte]),
  Buffer.concat([Buffer.of(0x07), varint(largest), oneByte]),
  Buffer.concat([Buffer.of(0x1d), varint(0), varint(2 ** 40), oneByte]),
  Buffer.concat([Buffer.of(0x18), varint(1), varint(0), Buffer.of(255), Buffer.alloc(20)]),
  Buffer.concat([Buffer.of(0x31), varint(20_000), oneByte]),
  // Acknowledged ranges that go below 0.
  frames.ack(5, 6),
  Buffer.concat([Buffer.of(0x02), varint(10), varint(0), varint(1), varint(3), varint(largest), varint(1)]),
  // Offsets beyond the window, and beyond everything.
  frames.stream(0, 2 ** 30, oneByte),
  frames.stream(0, largest, oneByte),
  // Streams that are the server's, or not there, or beyond the limit.
  frames.stream(3, 0, oneByte),
  frames.resetStream(3, 0, 0),
  frames.stopSending(2, 0),
  frames.stopSending(5, 0),
  frames.maxStreamData(2, 1),
  frames.stream(2n ** 40n, 0, oneByte),
  // Ends that do not fit together.
  Buffer.concat([frames.stream(0, 10, oneByte, true), frames.stream(0, 20, oneByte)]),
  Buffer.concat([frames.stream(0, 10, oneByte, true), frames.stream(0, 5, oneByte, true)]),
  Buffer.concat([frames.stream(0, 10, oneByte), frames.resetStream(0, 0, 3)]),
  frames.resetStream(0, 0, largest),
  frames.maxStreams(2n ** 61n),
  frames.streamsBlocked(largest),
  frames.retireConnectionId(0),
  frames.retireConnectionId(largest),
  frames.newConnectionId(1, 0, oneByte),
];

/** Attacks by a client whose handshake is complete and whose packets are genuine, by what is in them. */
export const frameAttacks: Attack[] = [
  {
    name: "retired connection ids are offered again, and packets come from a second address (CVE-2025-7054)",
    counts: { protocol: 8 },
    run: (scene) =>
      withAttackers(scene, 8, async (attacker) => {
        const second = await Source.open(scene.victim.port);
        attacker.send(
          frames.newConnectionId(3, 2, Buffer.alloc(8, 3)),
          frames.newConnectionId(1, 0, Buffer.alloc(8, 1)),
          frames.newConnectionId(1, 0, Buffer.alloc(8, 1)),
          frames.ping(),
        );
        await second.send(attacker.forge(frames.ping()));
        await attacker.ended;
        await second.close();
      }),
  },
  {
    name: "a client has a connection id, with which it could be given others",
    counts: { dropped: 1 },
    run: async ({ victim }) => {
      const connecting = Attacker.connect(victim.port, { sourceIdBytes: 16, giveUpMs: 300 });
      const wasLetIn = await connecting.then(
        () => true,
        () => false,
      );
      if (wasLetIn) throw new Error("It was let in");
    },
  },
  flood("CRYPTO with gaps, a byte each (CVE-2024-1765)", "data", (packet) =>
    times(100, (index) => frames.crypto(1000 + 2 * (100 * packet + index), oneByte)),
  ),
  flood("CRYPTO with gaps, in small packets (CVE-2024-1765)", "data", (packet) =>
    times(4, (index) => frames.crypto(1000 + 2 * (4 * packet + index), oneByte)),
  ),
  flood("CRYPTO with gaps, in full packets (CVE-2024-1765)", "data", (packet) => [
    frames.crypto(1000 + 1251 * packet, Buffer.alloc(1250)),
  ]),
  flood("PATH_CHALLENGE (CVE-2023-6193)", "data", () => times(140, () => frames.pathChallenge(oneByte8))),
  flood("PATH_RESPONSE", "data", () => times(140, () => frames.pathResponse(oneByte8))),
  flood("NEW_CONNECTION_ID (CVE-2024-1410)", "protocol", (packet) =>
    times(38, (index) => frames.newConnectionId(1 + 38 * packet + index, 0, randomBytes(8))),
  ),
  flood("NEW_TOKEN", "data", () => [frames.newToken(Buffer.alloc(1250, 1))]),
  flood("STREAMS_BLOCKED", "data", () => times(400, () => frames.streamsBlocked(1))),
  flood("STREAM with gaps, a byte each, on one stream", "data", (packet) =>
    times(100, (index) => frames.stream(0, 1 + 2 * ((100 * packet + index) % 130_000), oneByte)),
  ),
  flood("STREAM with gaps, each on a stream of its own", "data", (packet) =>
    times(100, (index) => frames.stream(4 * ((100 * packet + index) % 16_000), 5, oneByte)),
  ),
  flood("MAX_STREAM_DATA on streams that are not there", "data", (packet) =>
    times(100, (index) => frames.maxStreamData(4 * ((100 * packet + index) % 16_000), 1)),
  ),
  flood("STOP_SENDING on streams that are not there", "data", (packet) =>
    times(100, (index) => frames.stopSending(4 * ((100 * packet + index) % 16_000), 0)),
  ),
  flood("RESET_STREAM on ever new streams", "resets", (packet) =>
    times(60, (index) => frames.resetStream(4 * ((60 * packet + index) % 16_000), 0, 0)),
  ),
  flood("STREAM, a byte each, as many streams as allowed", undefined, (packet) =>
    times(60, (index) => frames.stream(2 + 4 * ((60 * packet + index) % 16_000), 0, oneByte)),
  ),
  flood("DATAGRAM", undefined, () => [Buffer.concat([Buffer.of(0x30), Buffer.alloc(1200)])]),
  {
    name: "frames that lie or are not allowed",
    counts: { protocol: forbidden.length },
    run: (scene) =>
      withAttackers(scene, forbidden.length, async (attacker, index) => {
        attacker.send(forbidden[index]!, frames.ping());
        await attacker.ended;
      }),
  },
  {
    name: "CONNECTION_CLOSE with every kind of code",
    run: (scene) => {
      const codes = [...times(0x12, Number), ...times(8, (index) => 0x100 + 32 * index), 2 ** 32, 2n ** 53n, largest];
      return withAttackers(scene, 2 * codes.length, async (attacker, index) => {
        const code = codes[index >> 1]!;
        const reason = randomBytes(10 * index);
        attacker.send(index % 2 === 0 ? frames.close(code, 0, reason) : frames.closeApplication(code, reason));
        await scene.victim.figures();
      });
    },
  },
  {
    name: "any frames in any order",
    run: (scene) =>
      withAttackers(scene, 25, async (attacker, round) => {
        const packets = fc.array(anyFrame, { minLength: 1, maxLength: 4 });
        for (const packet of fc.sample(packets, { seed: round, numRuns: 40 })) attacker.send(...packet);
        await scene.victim.figures();
      }),
  },
];

const oneByte8 = Buffer.alloc(8, 1);

/** Sends the same kind of frames until the victim has had enough. `violation`: what it takes them as; undefined: nothing. */
function flood(
  what: string,
  violation: "data" | "resets" | "protocol" | undefined,
  next: (packet: number) => Uint8Array[],
): Attack {
  return {
    name: `a flood of ${what}`,
    ...(violation !== undefined && { counts: { [violation]: 1 } }),
    run: (scene) =>
      withAttackers(scene, 1, async (attacker) => {
        attacker.fallDeaf();
        await attacker.flood(1_000_000, next, () => scene.victim.figures());
        await scene.victim.figures();
      }),
  };
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
