/** A Client under test, where it is: in a process of its own or in a page. Everything it takes and gives is plain data. */
import { Client } from "../../src/index.ts";
import type { Channel, MessageReadable, Transport } from "../../src/index.ts";
import { shiftClock } from "./clock.ts";
import { ReceiveFlow, SendFlow } from "./flow.ts";
import type { FlowOptions, FlowState } from "./flow.ts";
import { channelEnd, connectedAgain, connectionEnd, seen } from "./outcome.ts";
import type { Seen } from "./outcome.ts";

export interface JoinOptions {
  url: string;
  /** SHA-256 of the Coordinator's certificate. */
  hash: readonly number[];
  id: string;
  idleTimeoutMs: number;
  /** Whether a Client whose connection is lost connects again and goes on. Default: it is closed. */
  resume?: boolean;
  /** In Node only. Default 10 s. */
  connectTimeoutMs?: number;
  /** In Node only: where to try WebSocket, if QUIC does not get through. */
  webSocketPort?: number;
}

export type TransportFor = (options: JoinOptions) => Transport | Transport[];

export class ClientParty {
  readonly #transportFor: TransportFor;
  #client: Client | undefined;
  #channel: Channel | undefined;
  #channels: ReadableStreamDefaultReader<Channel> | undefined;
  #streams: ReadableStreamDefaultReader<MessageReadable> | undefined;
  readonly #sending = new Map<string, SendFlow>();
  readonly #receiving = new Map<string, ReceiveFlow>();
  #crowd: Client[] = [];
  #crowdIsBack: Promise<number[]> | undefined;

  constructor(transportFor: TransportFor) {
    this.#transportFor = transportFor;
  }

  /** @throws ConecError */
  async join(options: JoinOptions): Promise<void> {
    this.#client = await this.#dial(options);
    this.#channels = this.#client.incomingChannels.getReader();
  }

  /** What becomes of an attempt to join, which leaves no Client behind. */
  async tryToJoin(options: JoinOptions): Promise<void> {
    await (await this.#dial(options)).close();
  }

  /** Waits for a channel with another Client. */
  async takeChannel(): Promise<void> {
    const { value } = await this.#channels!.read();
    this.#channel = value!;
    this.#streams = value!.incomingUnidirectionalStreams.getReader();
  }

  async send(name: string, options: FlowOptions): Promise<void> {
    const writable = await this.#channel!.createUnidirectionalStream({
      name,
      metadata: { maxBytes: options.maxBytes },
    });
    this.#sending.set(name, new SendFlow(writable, options));
  }

  /** Takes the next stream that comes. */
  async receive(): Promise<void> {
    const { value } = await this.#streams!.read();
    this.#receiving.set(value!.name, new ReceiveFlow(value!));
  }

  async sentAfter(name: string, messages: number): Promise<FlowState> {
    return await this.#sending.get(name)!.after(messages);
  }

  async receivedAfter(name: string, messages: number): Promise<FlowState> {
    return await this.#receiving.get(name)!.after(messages);
  }

  async stopSending(name: string): Promise<FlowState> {
    return await this.#sending.get(name)!.stop();
  }

  async sendingEnded(name: string): Promise<FlowState> {
    return await this.#sending.get(name)!.ended;
  }

  async receivingEnded(name: string): Promise<FlowState> {
    return await this.#receiving.get(name)!.ended;
  }

  receivedSoFar(name: string): FlowState {
    return this.#receiving.get(name)!.state;
  }

  sentSoFar(name: string): FlowState {
    return this.#sending.get(name)!.state;
  }

  measureAnew(name: string): void {
    this.#receiving.get(name)!.measureAnew();
  }

  pauseReading(name: string): void {
    this.#receiving.get(name)!.pause();
  }

  readSlowly(name: string, everyMs: number): void {
    this.#receiving.get(name)!.slowDown(everyMs);
  }

  goOnReading(name: string): void {
    this.#receiving.get(name)!.slowDown(0);
    this.#receiving.get(name)!.goOn();
  }

  /** Says something to the Coordinator, whatever becomes of it. */
  speak(): void {
    this.#client!.coordinator.createUnidirectionalStream().catch(() => {});
  }

  async connectionEnded(): Promise<Seen> {
    return await connectionEnd(this.#client!);
  }

  async channelEnded(): Promise<Seen> {
    return await channelEnd(this.#channel!);
  }

  /** Whether the Client can still open a stream to the Coordinator, as seen by the Coordinator confirming its end. */
  async reachesCoordinator(): Promise<void> {
    const writable = await this.#client!.coordinator.createUnidirectionalStream({ name: "hello" });
    await writable.close();
  }

  /** So many Clients at once. */
  async joinAsCrowd(options: JoinOptions, count: number): Promise<void> {
    const dial = (number: number) => async () => await this.#dial({ ...options, id: `${options.id}-${number}` });
    this.#crowd = await Promise.all(Array.from({ length: count }, (_, number) => dialUntilItWorks(dial(number))));
    const back = this.#crowd.map(async (client) => {
      await connectedAgain(client);
      return Date.now();
    });
    this.#crowdIsBack = Promise.all(back);
  }

  /** Has each say something, so that it notices. */
  speakAsCrowd(): void {
    for (const client of this.#crowd) client.coordinator.createUnidirectionalStream().catch(() => {});
  }

  /** Joins again and again, until it cannot. Those that have joined stay. */
  async joinUntilItFails(options: JoinOptions, most: number): Promise<{ joined: number; failure: Seen | undefined }> {
    for (let joined = 0; joined < most; joined += 1) {
      const dialled = this.#dial({ ...options, id: `${options.id}-${joined}` });
      const attempt = await seen(dialled);
      if (attempt.how !== "well") return { joined, failure: attempt };
      this.#crowd.push(await dialled);
    }
    return { joined: most, failure: undefined };
  }

  /** When each of them was back, by the clock of the machine. */
  async crowdIsBack(): Promise<number[]> {
    return await this.#crowdIsBack!;
  }

  shiftClock(ms: number): void {
    shiftClock(ms);
  }

  async #dial(options: JoinOptions): Promise<Client> {
    const { url, id, resume: reconnect = false } = options;
    return await Client.connect(url, { transport: this.#transportFor(options), id, reconnect });
  }
}

async function dialUntilItWorks(dial: () => Promise<Client>): Promise<Client> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await dial();
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}
