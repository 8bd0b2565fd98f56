/**
 * The program that is attacked: a Coordinator, as an application would write it, in a process of its own. It sends back
 * the messages of each data stream, and connects "alice" with "bob" when both are there. Bundled and started by
 * victim-process.ts, which asks it how it is.
 */
import { setImmediate } from "node:timers/promises";

import { Coordinator } from "../../../src/index.ts";
import type { Channel, CoordinatorStats, MessageReadable } from "../../../src/index.ts";
import { createSelfSignedCertificate, listen } from "../../../src/transports/quic/index.ts";
import type { ClientCertificates, QuicListenerStats } from "../../../src/transports/quic/index.ts";
import { loadAllocator } from "../../support/allocator.ts";
import { answering } from "./answering.ts";
import type { Target } from "./target.ts";
import { floodMessages, floodName, unreadName } from "./stream-names.ts";

export interface Figures {
  listener: QuicListenerStats;
  coordinator: CoordinatorStats;
  residentBytes: number;
  heapBytes: number;
}

/** As the environment variable VICTIM_OPTIONS, in JSON. */
export interface VictimOptions {
  clientCertificates?: ClientCertificates;
}

export interface VictimQuestion {
  /** Whether garbage is to be collected first. */
  collected: boolean;
}

const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost", "127.0.0.1"] });
// Attackers on a busy machine take their time, and are to be cut off for what they do.
const coordinator = new Coordinator({ limits: { authenticateTimeoutMs: 20_000 } });
// Who vanishes is forgotten soon, and so is what was kept for it.
const { clientCertificates } = JSON.parse(process.env["VICTIM_OPTIONS"] ?? "{}") as VictimOptions;
const limits = { maxHalfOpen: 128, handshakeTimeoutMs: 3000 };
const listener = await listen({ host: "127.0.0.1", cert, key, idleTimeoutMs: 2000, limits, clientCertificates });
coordinator.serve(listener);

// What is measured shall not be what was once needed.
const allocator = await loadAllocator();

const target: Target = { port: listener.address.port, hash: Buffer.from(hash).toString("hex") };
answering(target, howItIs);

for await (const channel of coordinator.incomingChannels) {
  void serve(channel).catch(ignore);
  const { clients } = coordinator;
  if (clients.has("alice") && clients.has("bob") && ["alice", "bob"].includes(channel.peer.id)) {
    void coordinator.introduce("alice", "bob").catch(ignore);
  }
}

async function serve(channel: Channel): Promise<void> {
  for await (const readable of channel.incomingUnidirectionalStreams) void answer(channel, readable).catch(ignore);
}

async function answer(channel: Channel, readable: MessageReadable): Promise<void> {
  if (readable.name === unreadName) return;
  const writable = await channel.createUnidirectionalStream({ name: readable.name });
  if (readable.name !== floodName) return await readable.pipeTo(writable);
  const writer = writable.getWriter();
  const block = new Uint8Array(65_536);
  for (let count = 0; count < floodMessages; count += 1) await writer.write(block);
  await writer.close();
}

async function howItIs({ collected }: VictimQuestion): Promise<Figures> {
  if (collected) {
    // What is found to be garbage in the first round may hold on to what is found in the second.
    globalThis.gc!();
    await setImmediate();
    globalThis.gc!();
    allocator.trim();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    listener: await listener.getStats(),
    coordinator: await coordinator.getStats(),
    residentBytes: rss,
    heapBytes: heapUsed + external,
  };
}

function ignore(): void {}
