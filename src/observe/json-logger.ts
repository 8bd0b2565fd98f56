// SPDX-License-Identifier: Apache-2.0
import type { LogFields, Logger } from "./log-to.ts";

/**
 * A logger that writes a JSON object a line: `time` (ISO 8601), `level`, `message`, and the fields.
 *
 * @param write takes a whole line; default standard output
 * @example
 * ```ts
 * logTo(coordinator, jsonLogger((line) => void process.stderr.write(line)));
 * ```
 */
export function jsonLogger(write: (line: string) => void = (line) => void process.stdout.write(line)): Logger {
  const log = (level: keyof Logger, message: string, fields: LogFields): void => {
    write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
  };
  return {
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
  };
}
