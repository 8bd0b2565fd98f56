// SPDX-License-Identifier: Apache-2.0
/**
 * `conec/polyfill`: import it before conec, on pages for browsers that lack what conec or its users need of the platform.
 * It adds what is missing, and nothing where all is there:
 *
 * | what                                                                | missing in                                    |
 * | ------------------------------------------------------------------- | --------------------------------------------- |
 * | `for await` over a ReadableStream: `values`, `Symbol.asyncIterator` | Safari before 27, Chrome before 124           |
 * | `ReadableStream.from`                                               | Safari before 27, Firefox before 117, Chrome  |
 * | `Symbol.asyncDispose`, for `await using`                            | Safari before 27.3, Firefox 141, Chrome 127   |
 *
 * The streams stay the browser's own, so that `blob.stream().pipeTo(…)` and the like go on working: a polyfill that
 * replaces the classes breaks that. What else conec needs is in Safari 16.4, Firefox 114, Chrome 100 and newer.
 */
import "./symbol-async-dispose.ts"; // first: the others, and conec, have methods of that name
import "./readable-stream-values.ts";
import "./readable-stream-from.ts";
