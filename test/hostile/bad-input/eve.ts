import { authorityOf } from "../../../src/core/client-proof.ts";
import type { ControlStream } from "../../../src/core/control-stream.ts";
import { errorOfClose } from "../../../src/core/farewell.ts";
import { join } from "../../../src/core/joining.ts";
import { ConecError, generateKeyPair, publicKeyOf } from "../../../src/index.ts";
import type { ConecErrorCode, Connection } from "../../../src/index.ts";
import { encodeVarints } from "../../../src/streams/varint.ts";
import type { ControlMessage } from "../../../src/core/control-messages.ts";
import { Line } from "./line.ts";
import { within } from "./within.ts";

/** What somebody who misbehaves gets to see: what it has lost, and why. */
export type Outcome = `${"connection" | "channel" | "request" | "stream"} ${ConecErrorCode}` | "nothing";

export interface EveOptions {
  connection: Connection;
  url: string;
  /** Makes a channel between Eve and Carol. */
  introduce: () => Promise<unknown>;
}

/** A Client that is none: it says what it likes, and remembers what comes of it. */
export class Eve {
  readonly connection: Connection;
  /** Where it dialled. */
  readonly url: string;
  /** What it got, in order. */
  readonly outcomes: Outcome[] = [];
  /** Resolves when its connection has ended. */
  readonly gone: Promise<void>;
  /** The control stream of its own channel, once it has joined. */
  control!: Line;
  readonly #options: EveOptions;
  readonly #offers: ReadableStreamDefaultReader<{ readable: ReadableStream; writable: WritableStream }>;
  #wake: () => void = () => {};

  constructor(options: EveOptions) {
    this.#options = options;
    this.connection = options.connection;
    this.url = options.url;
    this.#offers = this.connection.incomingBidirectionalStreams.getReader();
    this.gone = this.connection.closed.then(
      (info) => this.#got("connection", errorOfClose(info)?.code ?? "closed"),
      (error: ConecError) => this.#got("connection", error.code),
    );
  }

  /** Opens a control stream. */
  async line(): Promise<Line> {
    return new Line(await this.connection.createBidirectionalStream(), (message) => this.#hear(message));
  }

  /** Joins as an honest Client would. */
  async join(id = "eve"): Promise<Line> {
    const { connection } = this;
    this.control = await this.line();
    const keyPair = await generateKeyPair();
    const who = { keyPair, publicKey: await publicKeyOf(keyPair), id, credentials: undefined };
    const where = { authority: authorityOf(this.url), server: connection.server, timeoutMs: 0 };
    await join(this.control as unknown as ControlStream, { ...who, ...where });
    return this.control;
  }

  /** Gets a channel with Carol, as its end 0. */
  async link(): Promise<{ id: number; line: Line }> {
    const introduced = this.#options.introduce();
    introduced.catch(() => {}); // where there is no offer, that is what is told
    const { line, id } = await this.offer();
    await line.say({ type: "accept" });
    await introduced;
    return { id, line };
  }

  /** The next channel that is offered to it, neither accepted nor refused. */
  async offer(): Promise<{ id: number; line: Line }> {
    const { value } = await this.#offers.read();
    const line = new Line(value!, (message) => this.#hear(message));
    return { id: (await line.next("channel")).channel, line };
  }

  /** Opens a data stream with these bytes. Never rejects: the connection may be closed in the middle of it. */
  async data(...chunks: (Uint8Array | readonly number[])[]): Promise<WritableStreamDefaultWriter<Uint8Array>> {
    const writable = await this.connection.createUnidirectionalStream().catch(() => new WritableStream<Uint8Array>());
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    for (const chunk of chunks) await writer.write(Uint8Array.from(chunk)).catch(() => {});
    return writer;
  }

  /** Opens a data stream of a channel as it should be: with its `open`, and with its header. */
  async stream(line: Line, channel: number, stream = 0, ...chunks: (Uint8Array | readonly number[])[]) {
    await line.say({ type: "open", stream, name: "", metadata: {} });
    return await this.data(encodeVarints(channel, stream, 0), ...chunks);
  }

  /** Resolves when it has got this, which must be soon. */
  async gets(outcome: Outcome): Promise<void> {
    if (outcome === "nothing") return await this.#isStillServed();
    const got = async (): Promise<void> => {
      while (!this.outcomes.includes(outcome)) await new Promise<void>((resolve) => (this.#wake = resolve));
    };
    await within(1000, got(), () => `no "${outcome}", but ${JSON.stringify(this.outcomes)}`);
  }

  async leave(): Promise<void> {
    this.connection.close();
    await this.connection.closed.catch(() => {});
  }

  async #isStillServed(): Promise<void> {
    await this.control.say({ type: "ping", id: 4711 });
    await within(1000, this.control.next("pong"), () => `no answer, but ${JSON.stringify(this.outcomes)}`);
    if (this.outcomes.length > 0) throw new Error(`There was ${JSON.stringify(this.outcomes)}`);
  }

  #hear(message: ControlMessage): void {
    if (message.type === "close") this.#got("channel", message.code ?? "closed");
    else if (message.type === "refuse") this.#got("request", message.code);
    else if (message.type === "stop" || message.type === "abort") this.#got("stream", message.code);
  }

  #got(what: "connection" | "channel" | "request" | "stream", code: ConecErrorCode): void {
    this.outcomes.push(`${what} ${code}`);
    this.#wake();
  }
}
