// SPDX-License-Identifier: Apache-2.0
import { maxRecordBytes } from "../qmux/record-writer.ts";

/**
 * What either end lets the package `ws` take: messages no larger than a record, in a bounded number of pieces, and
 * without compression, which would multiply what a sender costs.
 */
export const wsOptions = {
  perMessageDeflate: false,
  maxPayload: maxRecordBytes,
  maxFragments: 1024,
  maxBufferedChunks: 4096,
} as const;
