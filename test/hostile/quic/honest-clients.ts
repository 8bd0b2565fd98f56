/**
 * Honest Clients that use a Coordinator while others attack it, in a process of their own: what they get is not what the
 * attack costs its attacker. Started by honest-process.ts.
 */
import { setTimeout } from "node:timers/promises";

import type { Channel, Client } from "../../../src/index.ts";
import { next } from "../../support/hub.ts";
import { isMessage, message } from "../../support/messages.ts";
import { answering } from "./answering.ts";
import { honestClient } from "./honest-client.ts";
import type { HonestClientOptions } from "./honest-client.ts";
import type { Target } from "./target.ts";

export type HonestQuestion =
  | ({ do: "start"; target: Target } & Pick<HonestClientOptions, "certificate">)
  | { do: "after"; count: number }
  | { do: "count" | "finish" | "giveUp" };

const messageBytes = 8192;

/**
 * Three Clients that transfer all the time: "carol" to the Coordinator and back, "alice" to "bob" through it. Every message
 * is checked, byte for byte.
 */
class HonestClients {
  /** Messages that have arrived. */
  received = 0;
  readonly #clients: Client[];
  readonly #transfers: Promise<void>[];
  #stopped = false;

  static async start(
    target: Target,
    { certificate }: Pick<HonestClientOptions, "certificate">,
  ): Promise<HonestClients> {
    const ids = ["alice", "bob", "carol"];
    const clients = await Promise.all(ids.map((id) => honestClient(target, { id, certificate })));
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
      // They are not to take the whole machine, which the attacker uses as well.
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

let honest: HonestClients | undefined;

answering({}, async (question: HonestQuestion) => {
  switch (question.do) {
    case "start":
      honest = await HonestClients.start(question.target, question);
      return;
    case "after":
      return await honest!.after(question.count);
    case "count":
      return honest!.received;
    case "finish":
      return await honest!.finish();
    case "giveUp":
      return await honest?.giveUp();
  }
});
