// SPDX-License-Identifier: Apache-2.0
import type { ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";

/** What an underlying sink is called with, and calls back. */
export type SinkController = Pick<WritableStreamDefaultController, "error" | "signal">;

/** An underlying sink, as of a WritableStream, with all of its calls. */
export interface ByteSink {
  start(controller: SinkController): void;
  write(chunk: Uint8Array): void | Promise<void>;
  close(): void | Promise<void>;
  abort(reason: unknown): void | Promise<void>;
}

interface Entry {
  /** Undefined: the end. */
  chunk: Uint8Array | undefined;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * A writer straight onto an underlying sink, with the rules of a WritableStream whose high-water mark is one chunk, but
 * without one. In Node a WritableStream with its writer takes 5 KB, this a tenth of that: it is for streams that are many
 * and mostly idle.
 */
export class SinkWriter implements ByteWriter, SinkController {
  readonly closed: Promise<undefined>;
  readonly #sink: ByteSink;
  readonly #queue: Entry[] = [];
  #settleClosed!: { resolve: (value: undefined) => void; reject: (error: unknown) => void };
  #busy = false;
  #state: "open" | "closing" | "closed" | "errored" = "open";
  #error: unknown;
  #ready: { promise: Promise<undefined>; resolve: (value: undefined) => void } | undefined;
  #aborting: AbortController | undefined;

  constructor(sink: ByteSink) {
    this.#sink = sink;
    this.closed = new Promise((resolve, reject) => (this.#settleClosed = { resolve, reject }));
    this.closed.catch(ignore);
    sink.start(this);
  }

  /** For the sink: the stream has failed. */
  error(error?: unknown): void {
    this.#fail(error);
  }

  /** For the sink: fires when the writer is aborted. */
  get signal(): AbortSignal {
    return (this.#aborting ??= new AbortController()).signal;
  }

  get desiredSize(): number | null {
    if (this.#state === "errored") return null;
    return this.#state === "closed" ? 0 : 1 - this.#queue.length - (this.#busy ? 1 : 0);
  }

  /** Resolves when {@link desiredSize} is positive, or the stream is over. */
  get ready(): Promise<undefined> {
    if (this.#state !== "open" || this.desiredSize! > 0) return atOnce;
    if (this.#ready === undefined) {
      let resolve!: (value: undefined) => void;
      const promise = new Promise<undefined>((settle) => (resolve = settle));
      this.#ready = { promise, resolve };
    }
    return this.#ready.promise;
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== "open") return Promise.reject(this.#refusal());
    return new Promise((resolve, reject) => this.#put({ chunk, resolve, reject }));
  }

  close(): Promise<void> {
    if (this.#state !== "open") return Promise.reject(this.#refusal());
    this.#state = "closing";
    this.#wake();
    return new Promise((resolve, reject) => this.#put({ chunk: undefined, resolve, reject }));
  }

  async abort(reason?: unknown): Promise<void> {
    if (this.#state === "closed" || this.#state === "errored") return;
    this.#fail(reason);
    this.#aborting?.abort(reason);
    await this.#sink.abort(reason);
  }

  #put(entry: Entry): void {
    if (this.#busy) this.#queue.push(entry);
    else this.#run(entry);
  }

  #run(entry: Entry): void {
    const { chunk, reject } = entry;
    try {
      const pending = chunk === undefined ? this.#sink.close() : this.#sink.write(chunk);
      if (pending === undefined) return this.#done(entry);
      this.#busy = true;
      pending.then(
        () => {
          this.#busy = false;
          this.#done(entry);
          while (!this.#busy && this.#queue.length > 0) this.#run(this.#queue.shift()!);
          if (!this.#busy) this.#wake();
        },
        (error: unknown) => {
          reject(error);
          this.#fail(error);
        },
      );
    } catch (error) {
      reject(error);
      this.#fail(error);
    }
  }

  #done({ chunk, resolve }: Entry): void {
    resolve();
    if (chunk !== undefined || this.#state === "errored") return;
    this.#state = "closed";
    this.#settleClosed.resolve(undefined);
  }

  #fail(error: unknown): void {
    if (this.#state === "closed" || this.#state === "errored") return;
    this.#state = "errored";
    this.#error = error;
    for (const { reject } of this.#queue.splice(0)) reject(error);
    this.#settleClosed.reject(error);
    this.#wake();
  }

  #wake(): void {
    this.#ready?.resolve(undefined);
    this.#ready = undefined;
  }

  #refusal(): unknown {
    return this.#state === "errored" ? this.#error : new TypeError("The stream is closed");
  }
}

const atOnce = Promise.resolve(undefined);
