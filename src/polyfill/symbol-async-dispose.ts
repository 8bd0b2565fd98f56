// SPDX-License-Identifier: Apache-2.0
/** Installs `Symbol.asyncDispose` (ECMAScript, "Explicit Resource Management"). */
const symbols: object = Symbol;

if (!("asyncDispose" in symbols)) {
  Object.defineProperty(symbols, "asyncDispose", { value: Symbol("Symbol.asyncDispose") });
}
