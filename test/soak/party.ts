import { setTimeout as pause } from "node:timers/promises";
import type { Channel } from "../../src/index.ts";
import type { Random } from "./random.ts";
import { keyOf, newPlan, receive, send } from "./streams.ts";
import type { Witness } from "./witness.ts";

/** What everything is closed with. */
export const farewell = { closeCode: 7, reason: "soak" };

/** Limits: a machine that has too much to do is not what is tested. */
export const patience = { pairTimeoutMs: 60_000, drainTimeoutMs: 60_000 };

export interface ChannelLife {
  /** Over which it may be handed on; it is neither handed on nor closed without. */
  others?: () => Channel[];
}

/** Somebody with channels: a Client, or the Coordinator's own program. */
export class Party {
  readonly id: string;
  readonly random: Random;
  readonly witness: Witness;
  isStopping = false;
  /** Takes no channels, and hands none on: whoever gets one in the last moment would find it lost. */
  isLeaving = false;
  readonly #open = new Set<Channel>();
  readonly #lives = new Set<Promise<void>>();
  readonly #sending = new Set<Promise<void>>();
  readonly #handingOn = new Set<Promise<void>>();

  constructor(id: string, random: Random, witness: Witness) {
    this.id = id;
    this.random = random;
    this.witness = witness;
  }

  /** Opens streams on a channel, reads those that come, closes it or hands it on at some time. Resolves when it is over. */
  live(channel: Channel, { others }: ChannelLife = {}): Promise<void> {
    const life = this.#live(channel, others).finally(() => this.#lives.delete(life));
    this.#lives.add(life);
    return life;
  }

  /** Writes a stream on this channel. */
  async send(channel: Channel, mostMessages: number): Promise<void> {
    const sending = send(channel, newPlan(this, mostMessages), this).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
    await sending;
  }

  /** Opens nothing any more; resolves when the streams that it writes are over. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.#sending);
  }

  /** From now on it {@link isLeaving}. Resolves when no channel is being handed on. */
  async prepareToLeave(): Promise<void> {
    this.isLeaving = true;
    await Promise.all(this.#handingOn);
  }

  /** Closes the channels that it still has; resolves when all are over. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((channel) => this.#close(channel)));
    await Promise.all(this.#lives);
  }

  /** The handing over of a channel that has come of `channel`, if of any: its key goes along. False if it has failed, as it may. */
  async handOver(
    what: string,
    channel: string,
    start: (metadata: { key: string }) => Promise<unknown>,
  ): Promise<boolean> {
    const { id, witness } = this;
    const key = witness.newKey();
    try {
      await witness.watch(() => `${id}: ${what}`, start({ key }));
      witness.count("handed over");
      witness.ended({ side: "handover", key, channel, who: id, outcome: "done" });
      return true;
    } catch (error) {
      const outcome = witness.codeOf(error);
      witness.count(`not handed over: ${outcome}`);
      witness.ended({ side: "handover", key, channel, who: id, outcome, message: `${what}: ${String(error)}` });
      return false;
    }
  }

  async #live(channel: Channel, others: ChannelLife["others"]): Promise<void> {
    const { random } = this;
    const over = new AbortController();
    let open = 0;
    this.#open.add(channel);
    const closed = this.#watchEnd(channel).then(() => {
      this.#open.delete(channel);
      over.abort();
    });
    const reading = this.#readAll(channel);
    const slowest = random.chance(0.3) ? 2000 : 800;
    const sendOne = (mostMessages: number): void => {
      open += 1;
      void this.send(channel, mostMessages).finally(() => (open -= 1));
    };
    while (!over.signal.aborted && !this.isStopping) {
      // Not a race with `closed`, which would remember each of them as long as the channel lives.
      await pause(random.between(20, slowest), undefined, over).catch(() => {});
      if (over.signal.aborted || this.isStopping) break;
      const dice = random.next();
      if (dice < 0.9) {
        if (open < 8) sendOne(40);
      } else if (dice < 0.92) {
        if (open < 8) for (let i = 0; i < 60; i += 1) sendOne(3);
      } else if (others !== undefined) {
        if (dice > 0.985) await this.#close(channel);
        else if (dice > 0.95 && !this.isLeaving) await this.#handOn(channel, others());
      }
    }
    await Promise.all([closed, reading]);
  }

  async #readAll(channel: Channel): Promise<void> {
    const streams = new Set<Promise<void>>();
    for await (const readable of channel.incomingUnidirectionalStreams) {
      const stream = receive(readable, channel, this).finally(() => streams.delete(stream));
      streams.add(stream);
    }
    await Promise.all(streams);
  }

  async #watchEnd(channel: Channel): Promise<void> {
    let outcome = "closed";
    let message = "";
    try {
      const { closeCode, reason } = await channel.closed;
      if (reason !== farewell.reason || closeCode !== farewell.closeCode)
        outcome = `closed with ${closeCode}, ${reason}`;
    } catch (error) {
      outcome = this.witness.codeOf(error);
      message = String(error);
    }
    const key = keyOf(channel);
    this.witness.ended({ side: "channel", key, channel: key, who: this.id, outcome, message });
  }

  async #close(channel: Channel): Promise<void> {
    this.witness.count("closed");
    const closing = channel.close(farewell);
    await this.witness.watch(() => `${this.id} closing a channel with ${channel.peer.id}`, closing);
  }

  async #handOn(channel: Channel, others: Channel[]): Promise<void> {
    const targets = others.filter((other) => other !== channel);
    if (targets.length === 0) return;
    const target = this.random.pick(targets);
    const what = `handing a channel with ${channel.peer.id} on to ${target.peer.id}`;
    const handingOn = this.handOver(what, keyOf(channel), (metadata) => target.sendChannel(channel, { metadata })).then(
      () => {},
    );
    this.#handingOn.add(handingOn);
    await handingOn;
    this.#handingOn.delete(handingOn);
  }
}
