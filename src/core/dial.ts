// SPDX-License-Identifier: Apache-2.0
import { ConecError, toConecError } from "./errors.ts";
import type { ConecErrorCode } from "./errors.ts";
import type { Connection, Transport } from "./transport.ts";

export interface DialOptions {
  /** One, or several in the order of preference. */
  transport: Transport | readonly Transport[];
  /** How long a transport has before the next one is tried beside it, in milliseconds. Default 1000. */
  headStartMs?: number | undefined;
  /** Ends the attempt; the call then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Connects over the first of several transports that gets through. They are tried in order: the next one begins when the
 * one before has failed, or has had its head start. The others are given up then, and closed should they come up late.
 * Nothing is remembered for the next call.
 *
 * A transport that does not accept the server's certificate has failed like any other. It has sent nothing by then, and
 * the next one makes sure of the server by itself; whoever can spoil one transport could block it just as well.
 *
 * @throws ConecError `invalid-argument`; what the only transport failed with; of several, a ConecError with the code that
 * tells most and a `cause` that is an AggregateError, which has what each failed with, in their order
 */
export async function dial(url: string | URL, options: DialOptions): Promise<Connection> {
  const { transport, signal, headStartMs = defaultHeadStartMs } = options;
  const transports = Array.isArray(transport) ? (transport as readonly Transport[]) : [transport as Transport];
  if (transports.length === 0 || transports.some((each) => typeof each?.connect !== "function")) {
    throw new ConecError("invalid-argument", "A transport is needed, such as quic() of conec/quic");
  }
  if (!Number.isInteger(headStartMs) || headStartMs < 0 || headStartMs > maxTimerMs) {
    throw new ConecError("invalid-argument", `headStartMs must be an integer from 0 to ${maxTimerMs}`);
  }
  signal?.throwIfAborted();
  return await race(url, transports, headStartMs, signal);
}

function race(
  url: string | URL,
  transports: readonly Transport[],
  headStartMs: number,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const stop = new AbortController();
  const errors: ConecError[] = [];
  let started = 0;
  let failed = 0;
  let headStart: ReturnType<typeof setTimeout> | undefined;

  return new Promise<Connection>((resolve, reject) => {
    const settle = (finish: () => void, why: unknown): void => {
      if (stop.signal.aborted) return;
      clearTimeout(headStart);
      signal?.removeEventListener("abort", onAbort);
      stop.abort(why);
      finish();
    };
    const onAbort = (): void => settle(() => reject(signal?.reason), signal?.reason);
    const startNext = (): void => {
      clearTimeout(headStart);
      if (stop.signal.aborted || started === transports.length) return;
      const index = started;
      started += 1;
      if (started < transports.length) headStart = setTimeout(startNext, headStartMs);
      connect(transports[index]!, url, stop.signal).then(
        (connection) => {
          if (stop.signal.aborted) connection.close({ reason: "Another transport was faster" });
          else settle(() => resolve(connection), new ConecError("closed", "Another transport was faster"));
        },
        (error: unknown) => {
          errors[index] = toConecError(error, "unreachable");
          failed += 1;
          if (failed === transports.length) settle(() => reject(sumUp(transports, errors)), undefined);
          else startNext();
        },
      );
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    startNext();
  });
}

/** A transport of somebody else's may throw where it should reject. */
async function connect(transport: Transport, url: string | URL, signal: AbortSignal): Promise<Connection> {
  return await transport.connect(url, { signal });
}

function sumUp(transports: readonly Transport[], errors: readonly ConecError[]): ConecError {
  const [only] = errors;
  if (errors.length === 1) return only!;
  const each = errors.map(({ message }, index) => `${transports[index]!.name}: ${message}`).join("; ");
  const cause = new AggregateError(errors, each);
  // What somebody answered says more than that nobody did, and that more than that it could not be tried.
  const telling =
    errors.find(({ code }) => !silent.includes(code)) ??
    silent.map((code) => errors.find((error) => error.code === code)).find((error) => error !== undefined)!;
  const { code, source, remote } = telling;
  return new ConecError(code, `No transport connected: ${each}`, { source, remote, cause });
}

const silent: readonly ConecErrorCode[] = ["unreachable", "timeout", "unsupported"];
const defaultHeadStartMs = 1000;
const maxTimerMs = 2 ** 31 - 1;
