// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";
import type { ConecErrorCode } from "../../core/errors.ts";

/** TLS alerts as QUIC error codes (RFC 9001, section 4.8). */
const firstAlert = 0x100;

/** What alerts say of the certificate of whoever gets them (RFC 8446, section 6.2). */
const refusals: ReadonlyMap<number, readonly [ConecErrorCode, string]> = new Map([
  [42, ["certificate-untrusted", "it does not hold"]],
  [43, ["certificate-untrusted", "it is not for this use, or of a kind that is not taken there"]],
  [44, ["certificate-untrusted", "it was revoked"]],
  [45, ["certificate-expired", "it has expired"]],
  [46, ["certificate-untrusted", "it is not acceptable there"]],
  [48, ["certificate-untrusted", "no authority that is trusted there has issued it"]],
  [51, ["certificate-untrusted", "a signature is not what it should be"]],
  [116, ["certificate-required", "there is none"]],
]);

/** Why the other end does not take this end's certificate, if that is what the error code of a connection says. */
export function certificateRefusal(errorCode: number): ConecError | undefined {
  const refusal = refusals.get(errorCode - firstAlert);
  if (refusal === undefined) return undefined;
  const [code, why] = refusal;
  return new ConecError(code, `The other end does not take the certificate of this end: ${why}`);
}
