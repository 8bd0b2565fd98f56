// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";
import type { Connection } from "./transport.ts";
import { ignore } from "../streams/ignore.ts";

/**
 * What a Client that joins has to do, or what is done for it, in bounded time and for no longer than it is there.
 *
 * @throws what `pending` rejects with; ConecError `timeout`; `closed` when the Client goes away
 */
export async function inTime<T>(
  pending: Promise<T>,
  connection: Connection,
  timeoutMs: number,
  message: string,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConecError("timeout", `${message} within ${timeoutMs} ms`)), timeoutMs);
  });
  const gone = connection.closed.then(() => {
    throw new ConecError("closed", "The Client went away", { remote: true });
  });
  pending.catch(ignore);
  gone.catch(ignore);
  try {
    return await Promise.race([pending, timeout, gone]);
  } finally {
    clearTimeout(timer);
  }
}
