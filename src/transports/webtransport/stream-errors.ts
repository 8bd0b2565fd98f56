// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText, streamErrorCodeOf } from "../../core/errors.ts";
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
 * What a stream of `WebTransport` broke with. If the session is over that is why, and `whenOver` tells; otherwise the
 * other end gave the stream up.
 */
export async function fromStreamError(
  thrown: unknown,
  code: Extract<ConecErrorCode, "aborted" | "cancelled">,
  whenOver: () => Promise<ConecError>,
): Promise<ConecError> {
  if (thrown instanceof ConecError) return thrown;
  const streamErrorCode = receivedCode(thrown);
  const mayBeTheEnd = streamErrorCode === 0 && isSourceStream(thrown);
  const waitMs = streamErrorCode === undefined ? sessionEndMs : mayBeTheEnd ? resetLeadMs : 0;
  const ended = await Promise.race([whenOver(), later(waitMs)]);
  if (ended !== undefined) return ended;
  return new ConecError(code, `The other end ${code} the stream`, {
    source: "stream",
    remote: true,
    streamErrorCode: streamErrorCode ?? 0,
    cause: thrown,
  });
}

/** How long a session may take to tell that it is over when its streams have broken already. */
const sessionEndMs = 1000;
/** Browsers: the other end of a session that it closes resets the streams first, with a code that reads as 0. */
const resetLeadMs = 100;

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => unrefTimeout(ms, () => resolve(undefined)));
}

/** The code that the other end gave the stream up with; undefined if it is not that what the stream broke with. */
function receivedCode(thrown: unknown): number | undefined {
  if (isSourceStream(thrown)) return streamErrorCodeOf(thrown) ?? 0;
  // @fails-components/webtransport has it in the text only.
  const [, code] = /^(?:Resetstream|StopSending) with code:(\d+)$/.exec(reasonText(thrown)) ?? [];
  return code === undefined ? undefined : (streamErrorCodeOf({ streamErrorCode: Number(code) }) ?? 0);
}

function isSourceStream(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && (thrown as { source?: unknown }).source === "stream";
}

type WebTransportErrorConstructor = new (
  message: string | { streamErrorCode: number },
  options?: { source: "stream"; streamErrorCode: number },
) => Error;
