// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../index.ts";
import type { Channel, Coordinator, Introduction, MessageReadable, MessageWritable } from "../../index.ts";
import { deskProtocol, maxRequestBytes, requestSchema } from "./desk-messages.ts";
import type { Answer, AnswerOf, ChannelStatus, ClientStatus, Request } from "./desk-messages.ts";
import { Exchange } from "./exchange.ts";
import type { Caller, Decision, Match } from "./exchange.ts";
import { jsonMessage, jsonMessages } from "./json-messages.ts";

export interface DeskOptions {
  coordinator: Coordinator;
  /** Whether a Client may call another, and so know that it is there; by ids. */
  mayReach: (from: string, to: string) => boolean;
  /** Whether a Client may see everything in `status`. */
  maySeeAll: (id: string) => boolean;
  /** What there is to say of a Client beside what the Desk knows. */
  figuresOf: (id: string, seesAll: boolean) => Promise<Omit<ClientStatus, "id" | "publicKey" | "listensFor">>;
  welcome: () => Pick<AnswerOf<"welcome">, "software" | "transports" | "certificateHashes">;
  onJoin: (channel: Channel) => void;
  onLeave: (id: string) => void;
  onChannel: (channel: ChannelStatus, state: "open" | "closed") => void;
}

/** A channel between two Clients. */
interface Line {
  readonly status: ChannelStatus;
  readonly introduction: Introduction;
}

/** Serves the Clients of a Coordinator by the protocol of desk-messages.ts. */
export class Desk {
  readonly #options: DeskOptions;
  readonly #exchange: Exchange;
  /** Those that have begun to talk with the Desk. */
  readonly #outboxes = new Map<Caller, Outbox>();
  readonly #lines = new Set<Line>();
  readonly #startedMs = Date.now();
  #onLineClosed: () => void = () => {};

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#exchange = new Exchange({
      mayCall: (from, to) => options.mayReach(from.id, to),
      maxCalls: 16,
      maxListening: 8,
    });
  }

  /** Channels between Clients that are open. */
  get lineCount(): number {
    return this.#lines.size;
  }

  /** Serves everyone who joins, until the Coordinator is closed. */
  async run(): Promise<void> {
    for await (const channel of this.#options.coordinator.incomingChannels) void this.#serve(channel);
  }

  /** Makes no more channels, tells the Clients, and waits until those that are there have ended; or for the signal. */
  async drain(reason: string, withinMs: number, signal: AbortSignal): Promise<void> {
    this.#carryOut(this.#exchange.close(reason));
    for (const outbox of this.#outboxes.values()) outbox.send({ type: "goaway", reason, withinMs });
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.#lines.size === 0 || signal.aborted) resolve();
      };
      this.#onLineClosed = check;
      signal.addEventListener("abort", check, { once: true });
      check();
    });
  }

  /** The rules have changed: ends what they do not allow any more. */
  review(): void {
    this.#carryOut(this.#exchange.reviewCalls());
    for (const { status, introduction } of this.#lines) {
      const [from, to] = status.between;
      if (!this.#options.mayReach(from, to)) introduction.close({ reason: "The Coordinator's rules have changed" });
    }
  }

  async #serve(channel: Channel): Promise<void> {
    const { id } = channel.peer;
    const caller: Caller = { id };
    this.#options.onJoin(channel);
    channel.closed
      .catch(() => {})
      .finally(() => {
        this.#exchange.leave(caller);
        this.#outboxes.delete(caller);
        if (!this.#options.coordinator.clients.has(id)) this.#options.onLeave(id);
      });
    try {
      for await (const readable of channel.incomingUnidirectionalStreams) {
        if (readable.name !== deskProtocol || this.#outboxes.has(caller)) {
          await readable.cancel(new Error(`This Coordinator takes one stream, ${deskProtocol}`));
          continue;
        }
        const outbox = new Outbox(await channel.createUnidirectionalStream({ name: deskProtocol }));
        this.#outboxes.set(caller, outbox);
        void this.#talk(channel, caller, readable, outbox);
      }
    } catch {
      // It is gone, which `closed` tells.
    }
  }

  async #talk(channel: Channel, caller: Caller, readable: MessageReadable, outbox: Outbox): Promise<void> {
    this.#exchange.join(caller);
    outbox.send({ type: "welcome", timeMs: Date.now(), ...this.#options.welcome() });
    try {
      for await (const request of jsonMessages(readable, requestSchema, maxRequestBytes)) {
        await this.#receive(channel, caller, request, outbox);
        // Who does not read its answers is not asked for more requests.
        await outbox.idle();
      }
    } catch (error) {
      const reason = error instanceof ConecError && error.code === "protocol-error" ? error.message : "";
      await channel.close({ closeCode: 1, reason }).catch(() => {});
    }
  }

  async #receive(channel: Channel, caller: Caller, asked: Request, outbox: Outbox): Promise<void> {
    const { request } = asked;
    switch (asked.type) {
      case "listen":
        return this.#carryOut(this.#exchange.listen(caller, request, asked.service, asked.once));
      case "call":
        return this.#carryOut(this.#exchange.call(caller, request, asked.to, asked.service));
      case "cancel":
        return this.#exchange.cancel(caller, request);
      case "ping":
        return outbox.send({ type: "pong", request, timeMs: Date.now() });
      case "status":
        for (const page of await this.#status(channel.peer.id, request)) outbox.send(page);
    }
  }

  #carryOut(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      if (decision.do === "introduce") void this.#introduce(decision.match);
      else {
        const { do: _, to, ...answer } = decision;
        this.#outboxes.get(to)?.send(answer);
      }
    }
  }

  async #introduce(match: Match): Promise<void> {
    const { caller, callee, service } = match;
    let introduction: Introduction;
    try {
      const metadata = { service, caller: caller.id };
      introduction = await this.#options.coordinator.introduce(caller.id, callee.id, { metadata });
    } catch (thrown) {
      const { code, message } = thrown as ConecError;
      return this.#carryOut(this.#exchange.notIntroduced(match, code, message.slice(0, 1000)));
    }
    const status: ChannelStatus = { between: [caller.id, callee.id], service, sinceMs: Date.now() };
    const line: Line = { status, introduction };
    this.#lines.add(line);
    this.#options.onChannel(status, "open");
    introduction.closed
      .catch(() => {})
      .finally(() => {
        this.#lines.delete(line);
        this.#options.onChannel(status, "closed");
        this.#onLineClosed();
      });
    this.#carryOut(this.#exchange.introduced(match));
  }

  async #status(asker: string, request: number): Promise<AnswerOf<"status">[]> {
    const { coordinator, maySeeAll, mayReach, figuresOf } = this.#options;
    const seesAll = maySeeAll(asker);
    const sees = (id: string): boolean => seesAll || id === asker || mayReach(asker, id);
    const visible = [...coordinator.clients].filter(([id]) => sees(id));
    const clients = await Promise.all(
      visible.map(async ([id, { peer }]): Promise<ClientStatus> => {
        const caller = [...this.#outboxes.keys()].find((each) => each.id === id);
        const listensFor = caller === undefined ? [] : this.#exchange.listensFor(caller);
        const { publicKey } = peer;
        return { id, ...(publicKey !== undefined && { publicKey }), ...(await figuresOf(id, seesAll)), listensFor };
      }),
    );
    const channels = [...this.#lines].map(({ status }) => status).filter(({ between }) => between.every(sees));
    const { streamsForwarded } = await coordinator.getStats();
    const common = {
      type: "status" as const,
      request,
      timeMs: Date.now(),
      startedMs: this.#startedMs,
      clientCount: coordinator.clients.size,
      channelCount: this.#lines.size,
      streamsForwarded,
    };
    const pages = Math.max(1, Math.ceil(Math.max(clients.length, channels.length) / pageSize));
    return Array.from({ length: pages }, (_, page) => ({
      ...common,
      clients: clients.slice(page * pageSize, (page + 1) * pageSize),
      channels: channels.slice(page * pageSize, (page + 1) * pageSize),
      more: page + 1 < pages,
    }));
  }
}

/** Clients, and channels, in one answer: with the longest ids it stays below the limit of an answer. */
const pageSize = 16;

/** Answers on their way to a Client, in order. */
class Outbox {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #last: Promise<void> = Promise.resolve();

  constructor(writable: MessageWritable) {
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => {}); // the channel tells
  }

  send(answer: Answer): void {
    this.#last = this.#writer.write(jsonMessage(answer)).catch(() => {});
  }

  /** Resolves when everything was taken. */
  async idle(): Promise<void> {
    await this.#last;
    await this.#writer.ready.catch(() => {});
  }
}
