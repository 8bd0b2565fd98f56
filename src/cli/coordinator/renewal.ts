// SPDX-License-Identifier: Apache-2.0
/**
 * When a self-made certificate is followed by another. Browsers take none by hash that is valid for more than 14 days, and
 * whoever was told a hash has to be told the next one: so that is made, and told, days before it is used.
 */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export type RenewalStep = "none" | "prepare" | "switch" | "restart";

/**
 * What is to be done with the one in use and the one that is to follow it, if it has been made.
 *
 * - `prepare`: half of its time is over; make the next one.
 * - `switch`: it has a day left, or a fourteenth of its time; use the next one.
 * - `restart`: neither can be used any more; make a new one, of which nobody knows.
 */
export function renewalStep(nowMs: number, current: Validity, next: Validity | undefined): RenewalStep {
  if (nowMs >= switchTimeMs(current)) {
    if (next !== undefined && nowMs < next.notAfterMs) return "switch";
    return nowMs < current.notAfterMs ? "prepare" : "restart";
  }
  return next === undefined && nowMs >= (current.notBeforeMs + current.notAfterMs) / 2 ? "prepare" : "none";
}

/** When the next one comes into use. */
export function switchTimeMs({ notBeforeMs, notAfterMs }: Validity): number {
  return notAfterMs - (notAfterMs - notBeforeMs) / 14;
}
