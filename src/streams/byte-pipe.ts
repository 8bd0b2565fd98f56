// SPDX-License-Identifier: Apache-2.0
import { ConecError, streamErrorCodeOf } from "../core/errors.ts";
import { toBytes } from "./bytes.ts";

/** The two ends of a byte stream within one process. */
export interface BytePipe {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  /** Errors both ends. */
  fail(error: ConecError): void;
}

export interface BytePipeOptions {
  /** Called once, when the first chunk or the end has been written. */
  onFirst?: (() => void) | undefined;
  /** Called when either end has been closed, aborted or cancelled. */
  onEnd?: (() => void) | undefined;
}

/**
 * A byte stream within one process, with the manners of a transport's (core/transport.ts): chunks are copied, writing
 * waits once 64 KiB are unread, abort and cancel reach the other end as a ConecError with `streamErrorCode`.
 */
export function createBytePipe({ onFirst, onEnd }: BytePipeOptions = {}): BytePipe {
  let readableController!: ReadableStreamDefaultController<Uint8Array>;
  let writableController!: WritableStreamDefaultController;
  let resume: (() => void) | undefined;
  let surfaced = false;
  const surface = (): void => {
    if (!surfaced) onFirst?.();
    surfaced = true;
  };
  const wake = (): void => {
    resume?.();
    resume = undefined;
  };

  const copyOf = (chunk: unknown): Uint8Array => {
    try {
      return toBytes(chunk).slice();
    } catch (fault) {
      // It ends this end only by itself.
      surface();
      onEnd?.();
      readableController.error(remoteError("aborted", "The other end aborted the stream", fault));
      throw fault;
    }
  };

  const readable = new ReadableStream<Uint8Array>(
    {
      start: (controller) => void (readableController = controller),
      pull: wake,
      cancel: (reason) => {
        wake();
        onEnd?.();
        writableController.error(remoteError("cancelled", "The other end cancelled the stream", reason));
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 65_536 }),
  );
  const writable = new WritableStream<Uint8Array>({
    start: (controller) => {
      writableController = controller;
      controller.signal.addEventListener("abort", wake, { once: true });
    },
    write: (chunk) => {
      const bytes = copyOf(chunk);
      surface();
      if (bytes.length > 0) readableController.enqueue(bytes);
      if (readableController.desiredSize! > 0) return undefined;
      return new Promise((resolve) => (resume = resolve));
    },
    close: () => {
      surface();
      onEnd?.();
      readableController.close();
    },
    abort: (reason) => {
      surface();
      onEnd?.();
      readableController.error(remoteError("aborted", "The other end aborted the stream", reason));
    },
  });
  const fail = (error: ConecError): void => {
    wake();
    readableController.error(error);
    writableController.error(error);
  };
  return { readable, writable, fail };
}

function remoteError(code: "aborted" | "cancelled", message: string, reason: unknown): ConecError {
  return new ConecError(code, message, {
    source: "stream",
    remote: true,
    streamErrorCode: streamErrorCodeOf(reason) ?? 0,
  });
}
