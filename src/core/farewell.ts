// SPDX-License-Identifier: Apache-2.0
/**
 * How a connection is closed because of an error: its application close code says what kind, its reason is
 * `code: text`, so that whoever is left learns the error even if no control message gets through (docs/protocol.md).
 */
import { ConecError, conecErrorCodes, reasonText } from "./errors.ts";
import type { ConecErrorCode } from "./errors.ts";
import type { CloseInfo, Connection } from "./transport.ts";
import { ignore } from "../streams/ignore.ts";

/** What to close a connection with because of `error`. */
export function closeInfoOf(error: ConecError): CloseInfo {
  return { closeCode: closeCodes[error.code] ?? otherErrorCode, reason: reasonText(`${error.code}: ${error.message}`) };
}

/** The error that a connection was closed with; undefined when it was closed for no error. */
export function errorOfClose({ closeCode, reason }: CloseInfo): ConecError | undefined {
  if (closeCode < firstErrorCode || closeCode > otherErrorCode) return undefined;
  const [, word = "", text = ""] = /^([a-z-]+): (.*)$/s.exec(reason) ?? [];
  const code = conecErrorCodes.find((known) => known === word);
  return code === undefined ? undefined : new ConecError(code, text, { remote: true });
}

/**
 * Closes a connection when what was said on it had the time to arrive, unless the other end closes it first. It had better:
 * Chromium (156) may end the process of a page whose session the other end closes while streams of it are ending.
 */
export async function closeSoon(connection: Connection, info: CloseInfo): Promise<void> {
  const timer = setTimeout(() => connection.close(info), farewellMs);
  await connection.closed.then(ignore, ignore);
  clearTimeout(timer);
}

/** Application close codes of QUIC and WebTransport for errors: "ce" in ASCII, and a number. */
const firstErrorCode = 0x6365_0000;
const closeCodes: Partial<Record<ConecErrorCode, number>> = {
  "protocol-error": firstErrorCode + 1,
  "limit-exceeded": firstErrorCode + 2,
  refused: firstErrorCode + 3,
};
const otherErrorCode = firstErrorCode + 4;

const farewellMs = 250;
