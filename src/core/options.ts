// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";

/**
 * The options that a program gave to `call`; none are as good as an empty object.
 *
 * @throws ConecError `invalid-argument` for what is no object
 */
export function checkOptions<T extends object>(given: T | undefined, call: string): T {
  if (given === undefined) return {} as T; // what must be there is looked for one by one
  if (typeof given === "object" && given !== null) return given;
  throw new ConecError("invalid-argument", `The options of ${call} must be an object`);
}
