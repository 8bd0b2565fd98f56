import { setImmediate } from "node:timers/promises";

import { next } from "../../support/hub.ts";
import { isMessage, message } from "../../support/messages.ts";
import type { Attack, Scene } from "./attack.ts";
import { BareClient, firstDatagram } from "./bare-client.ts";
import { honestClient } from "./honest-clients.ts";
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
      whileOneMoreJoins(scene, (sources) =>
        inTurns(1000, sources, async (source) => source.send(await firstDatagram())),
      ),
  },
  {
    name: "1000 handshakes that show their address and go no further",
    counts: { retried: 500, handshakesFailed: 100, evicted: 1 },
    run: (scene) =>
      whileOneMoreJoins(scene, (sources) =>
        inTurns(1000, sources, async (source) => {
          const { second } = await firstAndSecondPacket(source);
          if (second !== undefined) await source.send(second);
        }),
      ),
  },
  {
    name: "500 handshakes that are completed and used for nothing",
    isHeavy: true,
    counts: { accepted: 300 },
    run: (scene) => whileOneMoreJoins(scene, (sources) => inTurns(500, sources, shakeHands)),
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

/** One more honest Client, at another address, dials while the attack goes on, and transfers something. */
async function whileOneMoreJoins({ victim }: Scene, attack: (sources: Source[]) => Promise<void>): Promise<void> {
  await withSources(victim.port, 50, async (sources) => {
    const attacking = attack(sources);
    await setImmediate();
    const started = performance.now();
    const client = await honestClient(victim, "late", "127.9.8.7");
    const writer = (await client.coordinator.createUnidirectionalStream({ name: "late" })).getWriter();
    await writer.write(message(1, 100_000));
    const closing = writer.close();
    const { value } = await (await next(client.coordinator.incomingUnidirectionalStreams)).getReader().read();
    const tookMs = performance.now() - started;
    await closing;
    await client.close();
    await attacking;
    if (!isMessage(value!, 1, 100_000)) throw new Error("Something else came back");
    if (tookMs > honestMs) throw new Error(`An honest Client took ${tookMs} ms`);
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

/** The first packet of a client, and the one with the token that it is given, if it is given one. */
async function firstAndSecondPacket(source: Source): Promise<{ first: Buffer; second: Buffer | undefined }> {
  const client = await BareClient.create();
  const first = client.send()[0]!;
  source.forget();
  await source.send(first);
  const retry = await source.next(isRetry, 100);
  if (retry === undefined) return { first, second: undefined };
  client.receive(retry);
  return { first, second: client.send()[0] };
}

/** RFC 9000, section 17.2.5. */
function isRetry(datagram: Buffer): boolean {
  return (datagram[0]! & 0xf0) === 0xf0;
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
