import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";

import type { Attack, Scene } from "./attack.ts";
import { BareClient, firstDatagram } from "./bare-client.ts";
import { frames } from "./frames.ts";
import { PacketProtection } from "./packet-protection.ts";
import { withSources } from "./source.ts";
import type { Source } from "./source.ts";

/** How soon an honest Client is to be in while others flood the listener. */
const honestMs = 2000;

/** Attacks by those who begin handshakes. */
export const handshakeAttacks: Attack[] = [
  {
    name: "1000 first packets from ports at which nobody listens",
    counts: { retried: 500, handshakesFailed: 1, evicted: 0 },
    run: (scene) =>
      whileOthersJoin(scene, (sources) => inTurns(1000, sources, async (source) => source.send(await firstDatagram()))),
  },
  {
    name: "1000 handshakes that show their address and go no further",
    counts: { retried: 500, handshakesFailed: 100, evicted: 1 },
    run: (scene) =>
      whileOthersJoin(scene, (sources) =>
        inTurns(1000, sources, async (source) => {
          const { second } = await firstAndSecondPacket(source);
          if (second !== undefined) await source.send(second);
        }),
      ),
  },
  {
    name: "1000 handshakes that are completed and used for nothing",
    isHeavy: true,
    counts: { accepted: 300 },
    run: (scene) => whileOthersJoin(scene, (sources) => inTurns(1000, sources, shakeHands)),
  },
  {
    name: "first packets of 60 clients, over and over, with gaps between their bytes (CVE-2024-1765)",
    isHeavy: true,
    counts: { data: 50, accepted: 3 },
    run: (scene) =>
      whileOthersJoin(scene, (sources) => inTurns(60, sources.slice(0, 20), (source) => bytesWithGaps(source, 30))),
  },
  {
    name: "Retry tokens that are forged, from another address, and used again",
    counts: { retried: 1 },
    run: (scene) =>
      withSources(scene.victim.port, 3, async ([crowd, source, other]) => {
        // Enough of them, and the listener begins to ask.
        for (let count = 0; count < 100; count += 1) await crowd!.send(await firstDatagram());
        const { first, second } = await firstAndSecondPacket(source!);
        if (second === undefined) throw new Error("It was given no token");
        for (let count = 0; count < 100; count += 1) await other!.send(second);
        for (let at = 30; at < 80; at += 1) {
          const forged = Buffer.from(second);
          forged[at]! ^= 1;
          await other!.send(forged);
          await source!.send(forged);
        }
        await other!.send(first);
        await scene.victim.figures();
        // A Retry is short; a server's part of a handshake fills a datagram.
        if (other!.heard.some(({ length }) => length >= 1000)) throw new Error("A token was good at another address");
        for (let count = 0; count < 100; count += 1) await source!.send(second);
      }),
  },
];

/**
 * While the attack goes on, one more honest Client after the other dials, from another address, and transfers something. On a
 * busy machine each may take as much longer as it takes there without an attack, several times over.
 */
async function whileOthersJoin({ victim, late }: Scene, attack: (sources: Source[]) => Promise<void>): Promise<void> {
  const usualMs = await late.visit(victim);
  await withSources(victim.port, 50, async (sources) => {
    const attacking = { isOver: false };
    const over = attack(sources).finally(() => (attacking.isOver = true));
    await setImmediate();
    let longestMs = 0;
    try {
      do longestMs = Math.max(longestMs, await late.visit(victim));
      while (!attacking.isOver);
    } finally {
      // It uses the sources for as long as it goes on.
      await over;
    }
    if (longestMs > honestMs + 4 * usualMs) {
      throw new Error(`An honest Client took ${longestMs} ms, usually ${usualMs}`);
    }
  });
}

/** Does something so many times, from each source at the same time. */
async function inTurns(count: number, sources: Source[], use: (source: Source) => Promise<void>): Promise<void> {
  await Promise.all(
    sources.map(async (source) => {
      for (let turn = 0; turn < count / sources.length; turn += 1) await use(source);
    }),
  );
}

/** Packets of a handshake that lacks its first byte: whoever takes them has to keep them. */
async function bytesWithGaps(source: Source, packets: number): Promise<void> {
  let who: { id: Buffer; token: Buffer } = { id: randomBytes(16), token: Buffer.of() };
  let protection = PacketProtection.ofClientInitial(who.id);
  const send = async (number: number): Promise<void> => {
    // Offsets of 4 bytes each, so that all packets are as long as a first one must be.
    const first = 20_000 + 330 * number;
    const crypto = Array.from({ length: 165 }, (_, index) => frames.crypto(first + 2 * index, Buffer.of(1)));
    await source.send(protection.sealInitial(who.id, who.token, number, Buffer.concat(crypto)));
  };
  source.forget();
  await send(0);
  const retry = await source.next(isRetry, 1000);
  if (retry !== undefined) {
    who = parseRetry(retry);
    protection = PacketProtection.ofClientInitial(who.id);
  }
  for (let number = 1; number < packets; number += 1) await send(number);
}

/** The first packet of a client, and the one with the token that it is given, if it is given one. */
async function firstAndSecondPacket(source: Source): Promise<{ first: Buffer; second: Buffer | undefined }> {
  const client = await BareClient.create();
  const first = client.send()[0]!;
  source.forget();
  await source.send(first);
  const retry = await source.next(isRetry, 500);
  if (retry === undefined) return { first, second: undefined };
  client.receive(retry);
  return { first, second: client.send()[0] };
}

/** RFC 9000, section 17.2.5. */
function isRetry(datagram: Buffer): boolean {
  return (datagram[0]! & 0xf0) === 0xf0;
}

/** What a client is to use from then on, whose own id has zero length. */
function parseRetry(datagram: Buffer): { id: Buffer; token: Buffer } {
  const idEnd = 7 + datagram[6]!;
  return { id: datagram.subarray(7, idEnd), token: datagram.subarray(idEnd, -16) };
}

async function shakeHands(source: Source): Promise<void> {
  const client = await BareClient.create();
  source.forget();
  for (;;) {
    for (const datagram of client.send()) await source.send(datagram);
    if (client.isEstablished) return;
    const answer = await source.next();
    if (answer === undefined) return;
    client.receive(answer);
  }
}
