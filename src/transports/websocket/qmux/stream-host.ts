// SPDX-License-Identifier: Apache-2.0
import type { ReceiveStream } from "./receive-stream.ts";
import type { SendStream } from "./send-stream.ts";

/** What a stream asks of its connection. */
export interface StreamHost {
  /** It has bytes or an end to send: its `fillRecord` is to be called. */
  sendLater(stream: SendStream): void;
  /** It was aborted: RESET_STREAM is to be sent, if the other end knows of it. */
  reset(stream: SendStream, code: number): void;
  /** It is over. */
  sendEnded(stream: SendStream): void;
  /** It was cancelled: STOP_SENDING is to be sent. */
  stop(stream: ReceiveStream, code: number): void;
  /** Bytes that came in were read or thrown away. */
  consumed(stream: ReceiveStream, bytes: number): void;
  /** Nothing comes in on it any more, and its reader knows. */
  receiveEnded(stream: ReceiveStream): void;
}
