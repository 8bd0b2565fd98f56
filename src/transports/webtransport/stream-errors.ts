import { ConecError, streamErrorCodeOf } from "../../core/errors.ts";
import type { ConecErrorCode } from "../../core/errors.ts";
import { unrefTimeout } from "../../streams/timer.ts";

/**
 * A reason as `WebTransport` takes it for `abort` and `cancel`: a WebTransportError where there is that class, which is
 * the only thing whose code is sent.
 */
export function toStreamReason(reason: unknown): unknown {
  const streamErrorCode = streamErrorCodeOf(reason) ?? 0;
  const { WebTransportError } = globalThis as { WebTransportError?: WebTransportErrorConstructor };
  if (typeof WebTransportError !== "function") return reason;
  try {
    return new WebTransportError("", { source: "stream", streamErrorCode });
  } catch {
    // Chromium takes what the draft of 2021 said: one argument.
    return new WebTransportError({ streamErrorCode });
  }
}

/**
 * What a stream of `WebTransport` broke with. If the session is over that is why, and `sessionError` tells; otherwise
 * the other end gave the stream up.
 */
export async function fromStreamError(
  thrown: unknown,
  code: Extract<ConecErrorCode, "aborted" | "cancelled">,
  sessionError: () => Promise<ConecError>,
): Promise<ConecError> {
  if (thrown instanceof ConecError) return thrown;
  if (!isStreamError(thrown)) {
    const ended = await Promise.race([sessionError(), later(sessionEndMs)]);
    if (ended !== undefined) return ended;
  }
  return new ConecError(code, `The other end ${code} the stream`, {
    source: "stream",
    remote: true,
    streamErrorCode: streamErrorCodeOf(thrown) ?? 0,
    cause: thrown,
  });
}

/** How long a session may take to tell that it is over when its streams have broken already. */
const sessionEndMs = 1000;

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => unrefTimeout(ms, () => resolve(undefined)));
}

function isStreamError(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && (thrown as { source?: unknown }).source === "stream";
}

type WebTransportErrorConstructor = new (
  message: string | { streamErrorCode: number },
  options?: { source: "stream"; streamErrorCode: number },
) => Error;
