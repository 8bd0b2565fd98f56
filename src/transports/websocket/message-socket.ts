// SPDX-License-Identifier: Apache-2.0
/** A WebSocket that is open, as a QMux session needs it. */
export interface MessageSocket {
  /** Called once, before anything else: what is to be called from then on. */
  start(events: MessageSocketEvents): void;
  /** Whether a message would leave soon. When it is false, `onRoom` is called once it is true again. */
  readonly hasRoom: boolean;
  /** Sends a binary message. The bytes may be used again when the call returns. Does not throw: what cannot be sent is lost. */
  send(message: Uint8Array): void;
  /** Sends what is waiting and says goodbye; in bounded time, whatever the other end does. */
  close(): void;
  /** Bytes on the wire, where they can be counted. */
  readonly counts?: { readonly received: number; readonly sent: number };
}

export interface MessageSocketEvents {
  /** A message came in; undefined stands for one of text. */
  onMessage(message: Uint8Array | undefined): void;
  onRoom(): void;
  /** Once: nothing comes or goes any more. `why` is for people. */
  onClose(why: string): void;
}
