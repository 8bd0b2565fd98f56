import { setTimeout } from "node:timers/promises";

import { Client } from "../../../src/index.ts";
import type { Channel } from "../../../src/index.ts";
import { quic } from "../../../src/transports/quic/index.ts";
import { createAuthority } from "../../support/certificates.ts";
import { next } from "../../support/hub.ts";
import { isMessage, message } from "../../support/messages.ts";
import type { VictimProcess } from "./victim-process.ts";

const messageBytes = 32_768;

/**
 * Three Clients that transfer all the time: "carol" to the Coordinator and back, "alice" to "bob" through it. Every message
 * is checked, byte for byte.
 */
export class HonestClients {
  /** Messages that have arrived. */
  received = 0;
  readonly #clients: Client[];
  readonly #transfers: Promise<void>[];
  #stopped = false;

  static async start(victim: VictimProcess): Promise<HonestClients> {
    const clients = await Promise.all(["alice", "bob", "carol"].map((id) => honestClient(victim, id)));
    const [alice, bob, carol] = clients as [Client, Client, Client];
    const [near, far] = await Promise.all([next(alice.incomingChannels), next(bob.incomingChannels)]);
    return new HonestClients(clients, [
      [near, far],
      [carol.coordinator, carol.coordinator],
    ]);
  }

  private constructor(clients: Client[], ways: [from: Channel, to: Channel][]) {
    this.#clients = clients;
    this.#transfers = ways.map(async ([from, to]) => {
      await Promise.all([this.#send(from), this.#receive(to)]);
    });
    for (const transfer of this.#transfers) transfer.catch(() => {});
  }

  /** Resolves when everything that was sent has arrived. Rejects when something else has, or it did not arrive. */
  async finish(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#transfers);
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** For when the test has failed already. */
  async giveUp(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients.map((client) => client.close().catch(() => {})));
  }

  /** Resolves when so many more messages have arrived. */
  async after(count: number): Promise<void> {
    const wanted = this.received + count;
    while (this.received < wanted) {
      await Promise.race([setTimeout(5), ...this.#transfers]);
    }
  }

  async #send(channel: Channel): Promise<void> {
    const writer = (await channel.createUnidirectionalStream({ name: "honest" })).getWriter();
    for (let index = 0; !this.#stopped; index += 1) {
      await writer.write(message(index, messageBytes));
      // The attacker is in the same process and needs its share.
      await setTimeout(1);
    }
    await writer.close();
  }

  async #receive(channel: Channel): Promise<void> {
    const readable = await next(channel.incomingUnidirectionalStreams);
    let index = 0;
    for await (const received of readable) {
      if (!isMessage(received, index, messageBytes)) throw new Error(`Message ${index} is not what was sent`);
      index += 1;
      this.received += 1;
    }
  }
}

/** Who vouches for honest Clients, where they are asked. */
export const clientAuthority = createAuthority("honest");
const { cert, key } = clientAuthority.issue({ use: "client" });

export function honestClient(
  { port, hash }: Pick<VictimProcess, "port" | "hash">,
  id: string,
  localAddress?: string,
): Promise<Client> {
  const pins = [{ algorithm: "sha-256", value: hash }];
  // The Coordinator gives up who is silent for 2 s.
  const transport = quic({ serverCertificateHashes: pins, keepAliveIntervalMs: 500, localAddress, cert, key });
  return Client.connect(`https://127.0.0.1:${port}`, { transport, id });
}
