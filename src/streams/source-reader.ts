// SPDX-License-Identifier: Apache-2.0
import type { ByteReader } from "../core/transport.ts";
import { ignore } from "./ignore.ts";

/** What an underlying source calls back. */
export interface SourceController {
  enqueue(chunk: Uint8Array): void;
  close(): void;
  error(error?: unknown): void;
}

/** An underlying source, as of a ReadableStream, that enqueues only what it was asked for. */
export interface ByteProducer {
  start(controller: SourceController): void;
  pull(): void;
  cancel(reason: unknown): void;
  /** See {@link ByteReader.recycle}. */
  recycle?(chunk: Uint8Array): void;
}

type Result = ReadableStreamReadResult<Uint8Array>;

/**
 * A reader straight from an underlying source, with the rules of a ReadableStream whose high-water mark is 0, but
 * without one: see {@link SinkWriter}.
 */
export class SourceReader implements ByteReader, SourceController {
  readonly closed: Promise<undefined>;
  readonly #source: ByteProducer;
  readonly #reads: { resolve: (result: Result) => void; reject: (error: unknown) => void }[] = [];
  #settleClosed!: { resolve: (value: undefined) => void; reject: (error: unknown) => void };
  #state: "open" | "closed" | "errored" = "open";
  #error: unknown;

  constructor(source: ByteProducer) {
    this.#source = source;
    this.closed = new Promise((resolve, reject) => (this.#settleClosed = { resolve, reject }));
    this.closed.catch(ignore);
    source.start(this);
  }

  read(): Promise<Result> {
    if (this.#state === "errored") return Promise.reject(this.#error);
    if (this.#state === "closed") return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.#reads.push({ resolve, reject });
      if (this.#reads.length === 1) this.#source.pull();
    });
  }

  async cancel(reason?: unknown): Promise<void> {
    if (this.#state !== "open") return;
    this.close();
    this.#source.cancel(reason);
  }

  recycle(chunk: Uint8Array): void {
    this.#source.recycle?.(chunk);
  }

  /** For the source: the next bytes. */
  enqueue(value: Uint8Array): void {
    this.#reads.shift()?.resolve({ value, done: false });
    if (this.#reads.length > 0) this.#source.pull();
  }

  /** For the source: the end. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closed";
    for (const { resolve } of this.#reads.splice(0)) resolve({ value: undefined, done: true });
    this.#settleClosed.resolve(undefined);
  }

  /** For the source: the stream has failed. */
  error(error?: unknown): void {
    if (this.#state !== "open") return;
    this.#state = "errored";
    this.#error = error;
    for (const { reject } of this.#reads.splice(0)) reject(error);
    this.#settleClosed.reject(error);
  }
}
