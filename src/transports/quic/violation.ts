// SPDX-License-Identifier: Apache-2.0
/**
 * What the other end did that its connection was closed for:
 * - `protocol`: it broke the rules of QUIC, or sent a frame that none of conec's peers needs (NEW_CONNECTION_ID).
 * - `data`: more was received than streams account for (`receive-budget.ts`).
 * - `streams`: more streams open at once than `maxIncomingStreams`.
 * - `resets`: it opened streams to abort them, hundreds a second.
 * - `acknowledgements`: it acknowledged what was never sent to it, so that the congestion window grew without end.
 * - `use`: nothing wrong, but the connection has been used up (`maxBytesSent`, `maxStreamsInAll`, aborted streams).
 */
export type Violation = "protocol" | "data" | "streams" | "resets" | "acknowledgements" | "use";
