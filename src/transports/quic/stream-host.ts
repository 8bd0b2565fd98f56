// SPDX-License-Identifier: Apache-2.0
import type { Engine } from "./binding.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import type { SendStream } from "./send-stream.ts";
import type { Slab } from "./slab.ts";
import type { StreamErrorCodes } from "./stream-error-codes.ts";

/** What a stream needs of the connection that carries it. */
export interface StreamHost {
  readonly engine: Engine;
  readonly errorCodes: StreamErrorCodes;
  /** Where received bytes are put. */
  readonly slab: Slab;
  /** Monotonic time of this turn. */
  readonly nowMs: number;
  /** Builds and sends packets at the end of this turn. */
  flushSoon(): void;
  /** The same, but after the data of other connections. */
  acknowledgeSoon(): void;
  acknowledgeLater(): void;
  /** Builds and sends packets now. */
  flushNow(): void;
  /** Calls the stream's `handOver` just before the packets of this turn are built. */
  handOverLater(stream: SendStream): void;
  /** Calls the stream's `retry` when the other end has been heard from. */
  retryLater(stream: SendStream): void;
  /** Calls the stream's `sendBareFin` at that time. */
  finLater(stream: SendStream, atMs: number): void;
  /** Whether the connection has had its turn: what is still there is for the next one. */
  readonly isTurnOver: boolean;
  /** A reader waits while the turn is over. */
  readLater(): void;
  /** Bytes have left the engine for the stream's reader. */
  delivered(stream: ReceiveStream, bytes: number): void;
  /** The engine has taken bytes to send. */
  given(bytes: number): void;
  sendEnded(stream: SendStream): void;
  /** `"cancelled"`: more may come in, which nobody wants. */
  receiveEnded(stream: ReceiveStream, how: "complete" | "cancelled" | "aborted"): void;
}
