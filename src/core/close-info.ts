// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText } from "./errors.ts";
import { checkOptions } from "./options.ts";
import type { CloseInfo } from "./transport.ts";

/** What every `close` of a Client, Coordinator or Channel takes. */
export interface CloseOptions extends Partial<CloseInfo> {
  /** Ends the wait for streams that are ending: they are cut, and the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * What a program gave to `close`, complete: code 0 and no reason by default, a long reason cut at 1024 bytes.
 *
 * @throws ConecError `invalid-argument` for a code that is not an integer from 0 to 2^32 − 1, or a reason that is no string
 */
export function checkCloseInfo(options: Partial<CloseInfo> = {}): CloseInfo {
  const { closeCode = 0, reason = "" } = checkOptions(options, "close");
  if (!Number.isInteger(closeCode) || closeCode < 0 || closeCode > 0xffff_ffff) {
    throw new ConecError(
      "invalid-argument",
      `closeCode must be an integer from 0 to 2^32 - 1, not ${String(closeCode)}`,
    );
  }
  if (typeof reason !== "string") throw new ConecError("invalid-argument", "reason must be a string");
  return { closeCode, reason: reasonText(reason) };
}
