import { randomBytes } from "node:crypto";

import { random } from "../../support/messages.ts";
import type { Attack, Scene } from "./attack.ts";
import { withAttackers } from "./attacker.ts";
import type { Attacker } from "./attacker.ts";
import { firstDatagram } from "./bare-client.ts";
import { frames } from "./frames.ts";
import { withSources } from "./source.ts";
import type { Source } from "./source.ts";

/** Attacks by anybody who can send datagrams, and see those of others. */
export const datagramAttacks: Attack[] = [
  {
    name: "datagrams of random bytes",
    run: (scene) =>
      withSource(scene, async (source) => {
        for (let count = 0; count < 3000; count += 1) {
          const datagram = randomBytes(1 + Math.floor(random(count) * 1500));
          // One in two looks like a first packet of version 1.
          if (count % 2 === 0 && datagram.length > 5) datagram.set([0xc0 | (datagram[0]! & 0x0f), 0, 0, 0, 1]);
          await source.send(datagram);
        }
      }),
  },
  {
    name: "first packets that are cut anywhere",
    counts: { dropped: 1100, accepted: 3 },
    run: (scene) =>
      withSource(scene, async (source) => {
        const first = await firstDatagram();
        for (let length = 1; length < 1200; length += 1) await source.send(first.subarray(0, length));
        await expectSilence(scene, source);
      }),
  },
  {
    name: "first packets of a size that would make the answer larger",
    counts: { dropped: 1 },
    run: (scene) =>
      withSource(scene, async (source) => {
        await source.send((await firstDatagram()).subarray(0, 1199));
        await expectSilence(scene, source);
      }),
  },
  {
    name: "lengths and connection ids that lie",
    run: (scene) =>
      withSource(scene, async (source) => {
        const first = await firstDatagram();
        for (let at = 5; at < 64; at += 1) {
          for (const value of [0, 1, 20, 21, 0x3f, 0x40, 0x7f, 0xc0, 0xff]) {
            const datagram = Buffer.from(first);
            datagram[at] = value;
            await source.send(datagram);
          }
        }
        await expectAtMostTriple(scene, source, 59 * 9 * first.length);
      }),
  },
  {
    name: "versions that are not spoken here, and version 0",
    counts: { versionNegotiations: 10, unanswered: 100, dropped: 100 },
    run: (scene) =>
      withSource(scene, async (source) => {
        const datagram = await firstDatagram();
        for (let count = 0; count < 600; count += 1) {
          datagram.writeUInt32BE(count % 3 === 0 ? 0 : 0x1a2a3a4a + count, 1);
          await source.send(datagram);
        }
        await scene.victim.figures();
        if (source.heard.length > 250) throw new Error(`${source.heard.length} answers in less than a second`);
      }),
  },
  {
    name: "packets of connections that are not there",
    counts: { statelessResets: 10, unanswered: 100 },
    run: (scene) =>
      withSource(scene, async (source) => {
        let sent = 0;
        for (let count = 0; count < 600; count += 1) {
          const datagram = randomBytes(17 + (count % 100));
          datagram[0] = 0x40 | (datagram[0]! & 0x3f);
          sent += datagram.length;
          await source.send(datagram);
        }
        await scene.victim.figures();
        if (source.heardBytes >= sent) throw new Error("The answers are larger than what they answer");
      }),
  },
  {
    name: "a first packet with junk behind it, and two in one datagram",
    run: (scene) =>
      withSource(scene, async (source) => {
        const first = await firstDatagram();
        const other = await firstDatagram();
        for (const junk of [Buffer.alloc(100), randomBytes(300), Buffer.of(0x40), other, first]) {
          await source.send(Buffer.concat([await firstDatagram(), junk]));
        }
        await scene.victim.figures();
      }),
  },
  {
    name: "what was recorded of a connection is played back, from its own address and from another",
    counts: { data: 0, addressChanges: 0, addressChangesRefused: 0 },
    run: (scene) =>
      withSource(scene, (source) =>
        withAttackers(scene, 1, async (attacker) => {
          const recorded = Array.from({ length: 100 }, () => attacker.forge(frames.ping(), Buffer.alloc(150)));
          for (const datagram of recorded) attacker.sendDatagram(datagram);
          for (let round = 0; round < 30; round += 1) {
            for (const datagram of recorded) attacker.sendDatagram(datagram);
            for (const datagram of recorded) await source.send(datagram);
          }
          await scene.victim.figures();
          if (source.heard.length > 0) throw new Error("The other address was answered");
        }),
      ),
  },
  {
    name: "datagrams of a connection are made up, from its own address and from hundreds of others",
    counts: { data: 0, protocol: 0, addressChanges: 0, addressChangesRefused: 0, statelessResets: 0 },
    run: (scene) =>
      withStrangers(scene, async (attacker, sources) => {
        const sample = attacker.forge(frames.ping());
        for (const [index, source] of sources.entries()) {
          for (const length of [22, 40, 1200]) {
            const datagram = randomBytes(length);
            sample.copy(datagram, 0, 0, 17);
            await source.send(datagram);
            // Its last bytes may be taken for a stateless reset.
            if (index < 50) attacker.sendDatagram(datagram);
          }
        }
        attacker.send(frames.ping());
        await scene.victim.figures();
        if (sources.some(({ heard }) => heard.length > 0)) throw new Error("Another address was answered");
      }),
  },
  {
    name: "genuine packets from ever other addresses",
    counts: { addressChangesRefused: 1 },
    run: (scene) =>
      withStrangers(scene, async (attacker, sources) => {
        const sent = new Map<Source, number>();
        for (let round = 0; round < 10; round += 1) {
          for (const source of sources) {
            const datagram = attacker.forge(frames.ping());
            sent.set(source, (sent.get(source) ?? 0) + datagram.length);
            await source.send(datagram);
          }
          attacker.send(frames.ping());
          await scene.victim.figures();
        }
        for (const source of sources) {
          if (source.heardBytes > 3 * sent.get(source)!)
            throw new Error("An address was sent more than three times its bytes");
        }
      }),
  },
];

/** A connection, and somebody who sends datagrams to it from 200 other addresses. */
function withStrangers(scene: Scene, use: (attacker: Attacker, sources: Source[]) => Promise<void>): Promise<void> {
  return withSources(scene.victim.port, 200, (sources) =>
    withAttackers(scene, 1, (attacker) => use(attacker, sources)),
  );
}

function withSource({ victim }: Scene, use: (source: Source) => Promise<void>): Promise<void> {
  return withSources(victim.port, 1, ([source]) => use(source!));
}

async function expectSilence({ victim }: Scene, source: Source): Promise<void> {
  await victim.figures();
  if (source.heard.length > 0) throw new Error(`${source.heard.length} datagrams were answered`);
}

async function expectAtMostTriple({ victim }: Scene, source: Source, sent: number): Promise<void> {
  await victim.figures();
  if (source.heardBytes > 3 * sent) throw new Error(`${source.heardBytes} bytes were sent for ${sent}`);
}
