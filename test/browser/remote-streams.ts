import type { Metadata } from "../../src/index.ts";
import type { Load, RemoteReading, RemoteWriting } from "../conformance/load.ts";

/** Calls a method of a thing in the page, or asks for its property. */
export type RemoteCall = (method: string, ...args: unknown[]) => Promise<unknown>;

/** A readable stream in the page, which is read there when it is read here. */
export class RemoteReadable<T> extends ReadableStream<T> {
  /** @param call calls its reader */
  constructor(call: RemoteCall) {
    super(
      {
        pull: async (controller) => {
          const { value, done } = (await call("read")) as ReadableStreamReadResult<T>;
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async (reason) => void (await call("cancel", reason)),
      },
      { highWaterMark: 0 },
    );
  }
}

/** A writable stream in the page. */
export class RemoteWritable extends WritableStream<Uint8Array> {
  /** @param call calls its writer */
  constructor(call: RemoteCall) {
    let signal: AbortSignal;
    let aborted: Promise<unknown>;
    const settled = async (step: Promise<unknown>): Promise<void> => {
      try {
        await step;
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      }
    };
    super({
      start: (controller) => {
        signal = controller.signal;
        // At once: the write in progress may not end by itself.
        const onAbort = (): void => void (aborted = call("abort", signal.reason));
        signal.addEventListener("abort", onAbort, { once: true });
        call("closed").catch((error: unknown) => {
          if (!signal.aborted) controller.error(error);
        });
      },
      write: (chunk) => settled(call("write", chunk)),
      close: () => settled(call("close")),
      abort: async () => void (await aborted),
    });
  }
}

/** A MessageReadable in the page. */
export class RemoteMessageReadable extends RemoteReadable<Uint8Array<ArrayBuffer>> implements RemoteReading {
  readonly name: string;
  readonly metadata: Metadata;
  readonly #call: RemoteCall;

  constructor(call: RemoteCall, { name, metadata }: { name: string; metadata: Metadata }) {
    super(call);
    this.name = name;
    this.metadata = metadata;
    this.#call = call;
  }

  async receiveAll(load: Load): Promise<number> {
    return (await this.#call("receiveAll", load)) as number;
  }

  /** See PageReadable. */
  async sha256(maxBytes: number): Promise<Uint8Array> {
    return (await this.#call("sha256", maxBytes)) as Uint8Array;
  }
}

/**
 * A MessageWritable in the page. Its writer has no queue here: `write`, `close` and `abort` go over at once, and `ready`
 * and `closed` are those of the writer there.
 */
export class RemoteMessageWritable extends WritableStream<Uint8Array> implements RemoteWriting {
  readonly #call: RemoteCall;

  constructor(call: RemoteCall) {
    super({
      write: async (chunk) => void (await call("write", chunk)),
      close: async () => void (await call("close")),
      abort: async (reason) => void (await call("abort", reason)),
    });
    this.#call = call;
  }

  override getWriter(): WritableStreamDefaultWriter<Uint8Array> {
    return new RemoteWriter(this.#call);
  }

  async fill(load: Load): Promise<number> {
    return (await this.#call("fill", load)) as number;
  }

  async sendAll(load: Load, count: number): Promise<void> {
    await this.#call("sendAll", load, count);
  }
}

class RemoteWriter implements WritableStreamDefaultWriter<Uint8Array> {
  readonly closed: Promise<undefined>;
  readonly #call: RemoteCall;

  constructor(call: RemoteCall) {
    this.#call = call;
    this.closed = this.#ask("closed");
  }

  get ready(): Promise<undefined> {
    return this.#ask("ready");
  }

  get desiredSize(): number {
    throw new Error("The page would have to be asked");
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#call("write", chunk);
  }

  async close(): Promise<void> {
    await this.#call("close");
  }

  async abort(reason?: unknown): Promise<void> {
    await this.#call("abort", reason);
  }

  releaseLock(): void {
    throw new Error("The page keeps its writer");
  }

  /** A promise that nobody has to look at, as those of any writer. */
  #ask(property: string): Promise<undefined> {
    const promise = this.#call(property) as Promise<undefined>;
    promise.catch(() => {});
    return promise;
  }
}
