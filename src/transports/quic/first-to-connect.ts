// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";
import type { Connection } from "../../core/transport.ts";

/** How long an address has before the next one is tried beside it (RFC 8305, section 5). */
const headStartMs = 250;

/**
 * Tries addresses in order, the next one when the one before has failed or is slow, and takes the first connection
 * (Happy Eyeballs, RFC 8305). The others are given up.
 *
 * Rejects with the most telling error when all have failed, and with the signal's reason when that comes first.
 */
export function firstToConnect<Address>(
  addresses: readonly Address[],
  signal: AbortSignal,
  start: (address: Address, stop: AbortSignal) => Promise<Connection>,
): Promise<Connection> {
  const stop = new AbortController();
  const errors: unknown[] = [];
  let next = 0;
  let settled = false;
  let headStart: NodeJS.Timeout | undefined;

  return new Promise<Connection>((resolve, reject) => {
    const settle = (finish: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(headStart);
      signal.removeEventListener("abort", onAbort);
      stop.abort(new ConecError("closed", "Another address was faster"));
      finish();
    };
    const onAbort = () => settle(() => reject(signal.reason));
    const startNext = () => {
      clearTimeout(headStart);
      const address = addresses[next];
      if (settled || address === undefined) return;
      next += 1;
      start(address, stop.signal).then(
        (connection) => {
          if (settled) connection.close();
          else settle(() => resolve(connection));
        },
        (error: unknown) => {
          errors.push(error);
          if (errors.length === addresses.length) settle(() => reject(mostTelling(errors)));
          else startNext();
        },
      );
      if (next < addresses.length) headStart = setTimeout(startNext, headStartMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    startNext();
  });
}

/** That nobody answers at one address says less than what another one answered. */
function mostTelling(errors: readonly unknown[]): unknown {
  return errors.find((error) => error instanceof ConecError && error.code !== "unreachable") ?? errors[0];
}
