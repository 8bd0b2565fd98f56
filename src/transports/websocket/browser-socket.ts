// SPDX-License-Identifier: Apache-2.0
import type { MessageSocket, MessageSocketEvents } from "./message-socket.ts";
import type { WebSocketLike } from "./web-socket-like.ts";

/** So much may wait in the browser. It must last until the next look at it: the more, the faster, and the later a ping. */
const maxBufferedBytes = 1024 * 1024;
/** How often a full buffer is looked at; browsers do not say when it has room. They round it up to 4 ms. */
const lookAgainMs = 2;

/** A browser's WebSocket that is open, or another one of that interface. */
export class BrowserSocket implements MessageSocket {
  readonly #socket: WebSocketLike;
  #events: MessageSocketEvents | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
  }

  start(events: MessageSocketEvents): void {
    this.#events = events;
    this.#socket.addEventListener("message", ({ data }) => {
      events.onMessage(data instanceof ArrayBuffer ? new Uint8Array(data) : undefined);
      this.#look(); // timers of a tab in the background are slow
    });
    this.#socket.addEventListener("close", ({ code, reason }) => {
      this.#isClosed = true;
      clearTimeout(this.#timer);
      events.onClose(reason === "" ? `code ${code}` : reason);
    });
  }

  get hasRoom(): boolean {
    const hasRoom = this.#isClosed || this.#socket.bufferedAmount < maxBufferedBytes;
    if (!hasRoom) this.#timer ??= setTimeout(() => this.#look(true), lookAgainMs);
    return hasRoom;
  }

  send(message: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      this.#socket.send(message as Uint8Array<ArrayBuffer>);
    } catch {
      // It is about to say that it is closed.
    }
  }

  close(): void {
    this.#socket.close();
  }

  /** Says that there is room, if that is awaited. */
  #look(timeIsUp = false): void {
    if (this.#timer === undefined) return;
    if (timeIsUp) this.#timer = undefined;
    if (!this.hasRoom) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#events?.onRoom();
  }
}
