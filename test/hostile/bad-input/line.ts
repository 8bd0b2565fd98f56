import { controlStreamOn } from "../../support/join-by-hand.ts";
import type { BidirectionalStream } from "../../../src/index.ts";
import type { ControlMessage, ControlMessageOf } from "../../../src/core/control-messages.ts";
import { headerLength, writeHeader } from "../../../src/streams/framing.ts";

type Type = ControlMessage["type"];

/** A control stream in the hands of somebody who says on it what he likes. */
export class Line {
  /** Everything that was heard. */
  readonly heard: ControlMessage[] = [];
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** Of what was heard, so much has been looked at by {@link next}. */
  #seen = 0;
  #isOver = false;
  #wake: () => void = () => {};

  /** @param onHeard called for each message */
  constructor({ readable, writable }: BidirectionalStream, onHeard: (message: ControlMessage) => void = () => {}) {
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => {});
    const nowhere = new WritableStream<Uint8Array>();
    void this.#listen(controlStreamOn({ readable, writable: nowhere }), onHeard);
  }

  /** Says these bytes. Never rejects: the stream may be closed in the middle of it. */
  async write(...chunks: (Uint8Array | readonly number[])[]): Promise<void> {
    try {
      for (const chunk of chunks) await this.#writer.write(Uint8Array.from(chunk));
    } catch {
      // What it says then is not heard.
    }
  }

  /** Says a message, whatever it is. */
  async say(...messages: unknown[]): Promise<void> {
    for (const message of messages) await this.text(JSON.stringify(message));
  }

  async text(json: string): Promise<void> {
    await this.write(framed(json));
  }

  /** Ends its direction. */
  async end(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }

  async abort(): Promise<void> {
    await this.#writer.abort().catch(() => {});
  }

  /** The next message of one of these types; others before it are passed over. */
  async next<T extends Type>(...types: T[]): Promise<ControlMessageOf<T>> {
    for (;;) {
      while (this.#seen < this.heard.length) {
        const message = this.heard[this.#seen++]!;
        if ((types as Type[]).includes(message.type)) return message as ControlMessageOf<T>;
      }
      if (this.#isOver)
        throw new Error(`No ${types.join(" or ")} came, but ${this.heard.map(({ type }) => type).join(", ")}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  // As `join` of src/core/joining.ts uses a ControlStream.

  async send(message: ControlMessage): Promise<void> {
    await this.say(message);
  }

  async expect(types: readonly Type[]): Promise<ControlMessage> {
    return await this.next(...types);
  }

  async #listen(control: ReturnType<typeof controlStreamOn>, onHeard: (message: ControlMessage) => void) {
    try {
      for (let message = await control.receive(); message !== undefined; message = await control.receive()) {
        this.heard.push(message);
        onHeard(message);
        this.#wake();
      }
    } catch {
      // The stream broke: nothing more comes.
    }
    this.#isOver = true;
    this.#wake();
  }
}

/** A message, framed. */
export function framed(json: string): Uint8Array {
  const body = new TextEncoder().encode(json);
  const bytes = new Uint8Array(headerLength(body.length) + body.length);
  bytes.set(body, writeHeader(bytes, 0, body.length));
  return bytes;
}
