// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../index.ts";
import type { ConecErrorCode } from "../../index.ts";
import { exitCodes } from "../program/exit-codes.ts";
import type { ExitCode } from "../program/exit-codes.ts";
import { Failure } from "../program/failure.ts";

/** What went wrong, as it is told to a user: with what to do about it, where that is known. */
export function explain(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (!(thrown instanceof ConecError)) return explainSystemError(thrown);
  const { code, message } = thrown;
  const advice = adviceFor(code);
  const text = advice === undefined ? message : `${message.replace(/\.$/, "")}. ${advice}`;
  return new Failure(text, exitCodeFor(code), code, thrown);
}

/** What to do about an error, if anything is to be said. */
export function adviceFor(code: ConecErrorCode): string | undefined {
  return advices[code];
}

function exitCodeFor(code: ConecErrorCode): ExitCode {
  if (unreachable.has(code)) return exitCodes.unreachable;
  if (code === "refused" || code === "limit-exceeded") return exitCodes.refused;
  if (code === "peer-lost") return exitCodes.absent;
  return code === "invalid-argument" ? exitCodes.usage : exitCodes.failed;
}

const unreachable: ReadonlySet<ConecErrorCode> = new Set([
  "unreachable",
  "timeout",
  "connection-lost",
  "alpn-mismatch",
  "version-mismatch",
  "certificate-untrusted",
  "certificate-expired",
  "certificate-name-mismatch",
  "certificate-required",
]);

const advices: Partial<Record<ConecErrorCode, string>> = {
  unreachable: "Check the URL, and that the Coordinator runs there; conec doctor looks closer",
  timeout: "Check the URL, and that no firewall is in the way; conec doctor looks closer",
  "certificate-untrusted": "If the certificate is self-made, give its hash, which the Coordinator prints: --hash HEX",
  "certificate-expired": "Check the clock here, and the certificate there",
  "certificate-name-mismatch": "Dial a name that it is for, or give its hash: --hash HEX",
  "alpn-mismatch": "Something else listens there: check the port",
  "version-mismatch": "One of the two has an older conec: update it",
  "address-in-use": "End what uses it, or take another port: --port NUMBER",
};

function explainSystemError(thrown: unknown): Failure {
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) return new Failure(message, exitCodes.failed, code, thrown);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new Failure(
    `A fault in conec: ${text}. With CONEC_DEBUG=1 it says where`,
    exitCodes.failed,
    "internal",
    thrown,
  );
}
