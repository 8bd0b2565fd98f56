import { ConecError } from "../../core/errors.ts";
import { fromStreamError, toStreamReason } from "./stream-errors.ts";

/** The error that the session has ended with. Waits until it has. */
export type SessionError = () => Promise<ConecError>;

/** A receiving half with the manners of core/transport.ts. Reads the other one only when it is read. */
export function wrapReadable(
  source: ReadableStream<Uint8Array>,
  sessionError: SessionError,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  reader.closed.catch(ignore);
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { value, done } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (thrown) {
          throw await fromStreamError(thrown, "aborted", sessionError);
        }
      },
      cancel: async (reason) => {
        await reader.cancel(toStreamReason(reason)).catch(ignore);
      },
    },
    { highWaterMark: 0 },
  );
}

/** A sending half with the manners of core/transport.ts. */
export function wrapWritable(sink: WritableStream<Uint8Array>, sessionError: SessionError): WritableStream<Uint8Array> {
  const writer = sink.getWriter();
  let signal!: AbortSignal;
  const abort = async (reason: unknown): Promise<void> => {
    await writer.abort(toStreamReason(reason)).catch(ignore);
  };
  const settled = async (step: Promise<void>): Promise<void> => {
    try {
      await step;
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      throw await fromStreamError(thrown, "cancelled", sessionError);
    }
  };
  return new WritableStream<Uint8Array>({
    start: (controller) => {
      signal = controller.signal;
      // A write in progress must end, or the stream would not get as far as its own abort.
      signal.addEventListener("abort", () => void abort(signal.reason), { once: true });
      writer.closed.catch(async (thrown: unknown) => {
        const error = await fromStreamError(thrown, "cancelled", sessionError);
        if (!signal.aborted) controller.error(error);
      });
    },
    write: (chunk) => {
      if (!(chunk instanceof Uint8Array)) {
        const message = "Cannot write: the chunk is not a Uint8Array";
        const error = new ConecError("invalid-argument", message, { source: "stream" });
        void abort(error);
        throw error;
      }
      return chunk.length === 0 ? undefined : settled(writer.write(chunk));
    },
    close: () => settled(writer.close()),
    abort,
  });
}

function ignore(): void {}
