// SPDX-License-Identifier: Apache-2.0
/**
 * What the engine's error says about a stream that the other end gave up, or undefined if it is about something else.
 *
 * `InvalidStreamState` counts, without a code: the engine forgets a stopped stream as soon as what was sent of it is
 * acknowledged, and with it the code.
 */
export function parseStreamFault(thrown: unknown): { wireCode?: number } | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const match = /^(?:StreamStopped|StreamReset|(InvalidStreamState))\((\d+)\)$/.exec(thrown.message);
  if (match === null) return undefined;
  return match[1] === undefined ? { wireCode: Number(match[2]) } : {};
}

/** The other end does not allow one more stream at present. */
export function streamLimitReached(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.message === "StreamLimit";
}
