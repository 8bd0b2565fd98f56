// SPDX-License-Identifier: Apache-2.0
import { ConecError, streamErrorCodeOf } from "../../core/errors.ts";
import { fromStreamError, toStreamReason } from "./stream-errors.ts";
import { ignore } from "../../streams/ignore.ts";

/** What the streams of a session ask of it. */
export interface StreamSession {
  /** Resolves when the session is over, with what its streams fail with. */
  readonly whenOver: () => Promise<ConecError>;
  /** Calls back when the session ends, or at once if it has. @returns how to call that off */
  readonly onOver: (callback: (error: ConecError) => void) => () => void;
  readonly care: StreamCare | undefined;
}

/** What has to be done for the streams of an implementation that does not do it by itself. */
export interface StreamCare {
  /** Takes nothing more in for this stream until it is read again. */
  pause(readable: ReadableStream<Uint8Array>): void;
  /** Tells the other end that nobody reads this stream any more, and throws away what comes on it. */
  stop(readable: ReadableStream<Uint8Array>, streamErrorCode: number): void;
  /** Gives this stream up, at once, with all that was written and has not left. */
  reset(writable: WritableStream<Uint8Array>, streamErrorCode: number): void;
}

/** A receiving half with the manners of core/transport.ts. Reads the other one only when it is read. */
export function wrapReadable(source: ReadableStream<Uint8Array>, session: StreamSession): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  reader.closed.catch(ignore);
  let forget = ignore;
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        forget = session.onOver((error) => controller.error(error));
      },
      pull: async (controller) => {
        try {
          const { value, done } = await reader.read();
          session.care?.pause(source);
          if (!done) return controller.enqueue(value);
          forget();
          controller.close();
        } catch (thrown) {
          const error = await fromStreamError(thrown, "aborted", session.whenOver);
          forget();
          throw error;
        }
      },
      cancel: async (reason) => {
        forget();
        if (session.care === undefined) await reader.cancel(toStreamReason(reason)).catch(ignore);
        else session.care.stop(source, streamErrorCodeOf(reason) ?? 0);
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * A sending half with the manners of core/transport.ts. Whatever the other one does, a write and a close that wait are
 * ended by an abort and by the end of the session.
 */
export function wrapWritable(sink: WritableStream<Uint8Array>, session: StreamSession): WritableStream<Uint8Array> {
  const writer = sink.getWriter();
  let signal!: AbortSignal;
  let forget = ignore;
  /** Rejects the step that is under way. */
  let interrupt: ((reason: unknown) => void) | undefined;
  let stuck = false;

  const step = (pending: Promise<void>): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      interrupt = reject;
      pending.then(resolve, (thrown: unknown) => {
        if (signal.aborted) reject(signal.reason);
        else void fromStreamError(thrown, "cancelled", session.whenOver).then(reject);
      });
    }).finally(() => (interrupt = undefined));
  const abort = async (reason: unknown): Promise<void> => {
    forget();
    if (session.care !== undefined) return session.care.reset(sink, streamErrorCodeOf(reason) ?? 0);
    const aborted = writer.abort(toStreamReason(reason)).catch(ignore);
    // Some implementations wait for a write that is under way. Theirs to end, when the other end reads on or the session ends.
    if (!stuck) await aborted;
  };

  return new WritableStream<Uint8Array>({
    start: (controller) => {
      signal = controller.signal;
      const fail = (error: ConecError): void => {
        controller.error(error);
        interrupt?.(error);
      };
      forget = session.onOver(fail);
      // A write in progress must end, or the stream would not get as far as its own abort.
      signal.addEventListener(
        "abort",
        () => {
          stuck = interrupt !== undefined;
          interrupt?.(signal.reason);
          void abort(signal.reason);
        },
        { once: true },
      );
      writer.closed.then(forget, async (thrown: unknown) => {
        const error = await fromStreamError(thrown, "cancelled", session.whenOver);
        forget();
        if (!signal.aborted) fail(error);
      });
    },
    write: (chunk) => {
      if (!(chunk instanceof Uint8Array)) {
        const message = "Cannot write: the chunk is not a Uint8Array";
        const error = new ConecError("invalid-argument", message, { source: "stream" });
        void abort(error);
        throw error;
      }
      if (session.care !== undefined) return writeCopies(chunk);
      return chunk.length === 0 ? undefined : step(writer.write(chunk));
    },
    close: () => step(writer.close()),
    abort,
  });

  /** For an implementation that reads a chunk after its `write` has resolved, and copies what is left of a large one again and again. */
  async function writeCopies(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += copiedBytes) {
      await step(writer.write(chunk.slice(at, at + copiedBytes)));
    }
  }
}

const copiedBytes = 65_536;
