/** A client of QUIC whose packets are genuine, and hold anything: honest Clients go on, and nothing is left behind. */
import * as fc from "fast-check";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe } from "vitest";
import { Scene } from "../hostile/bad-input/scene.ts";
import { anyFrame } from "../hostile/quic/any-frame.ts";
import { Attacker } from "../hostile/quic/attacker.ts";
import { Source } from "../hostile/quic/source.ts";
import { quicKind } from "../support/hub.ts";
import { fuzz } from "./fuzz.ts";

interface Packet {
  frames: Uint8Array[];
  /** It comes from another address than the connection's. */
  isElsewhere: boolean;
  /** What the network does to it. */
  fate: "arrives" | "arrives twice" | { bitFlipped: number } | { cutTo: number };
  /** Others have their turn after it. */
  isLastOfTurn: boolean;
}

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const packet: fc.Arbitrary<Packet> = fc.record({
  frames: fc.array(anyFrame, { minLength: 1, maxLength: 5 }),
  isElsewhere: fc.nat({ max: 7 }).map((of) => of === 7),
  fate: fc.oneof(
    { weight: 6, arbitrary: fc.constant("arrives" as const) },
    fc.constant("arrives twice" as const),
    fc.record({ bitFlipped: share }),
    fc.record({ cutTo: share }),
  ),
  isLastOfTurn: fc.boolean(),
});

describe("over QUIC", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.start(quicKind, { limits: { authenticateTimeoutMs: 2000 } });
  });
  afterAll(() => scene.end());

  async function run(packets: Packet[]): Promise<void> {
    const port = Number(new URL(scene.hub.url).port);
    const attacker = await Attacker.connect(port);
    const elsewhere = await Source.open(port);
    try {
      attacker.fallDeaf();
      for (const { frames, isElsewhere, fate, isLastOfTurn } of packets) {
        const datagram = attacker.forge(...frames);
        for (const each of arriving(datagram, fate)) {
          if (isElsewhere) await elsewhere.send(each);
          else attacker.sendDatagram(each);
        }
        if (isLastOfTurn) await setImmediate();
      }
      await scene.goesOn();
    } finally {
      await elsewhere.close();
      await attacker.close();
    }
    await scene.isTidy();
  }

  fuzz("QUIC frames", "whatever a client's packets hold", fc.asyncProperty(fc.array(packet, { maxLength: 30 }), run));
});

/** What the network makes of a datagram. */
function arriving(datagram: Buffer, fate: Packet["fate"]): Buffer[] {
  if (fate === "arrives") return [datagram];
  if (fate === "arrives twice") return [datagram, datagram];
  if ("cutTo" in fate) return [datagram.subarray(0, Math.floor(fate.cutTo * datagram.length))];
  const bit = Math.floor(fate.bitFlipped * 8 * datagram.length);
  datagram[bit >> 3]! ^= 1 << (bit & 7);
  return [datagram];
}
