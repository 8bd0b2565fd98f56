// SPDX-License-Identifier: Apache-2.0
import type { Socket } from "node:net";
import type { WebSocket } from "ws";

import type { MessageSocket, MessageSocketEvents } from "../message-socket.ts";

/** So much may wait in this process. The kernel takes more. */
const maxBufferedBytes = 256 * 1024;
/** How long the other end may take to say goodbye too. */
const goodbyeMs = 1000;

/** A WebSocket of the package `ws` that is open, and the socket under it. */
export class NodeSocket implements MessageSocket {
  readonly #socket: WebSocket;
  readonly #stream: Socket;
  #bufferedBytes = 0;
  #events: MessageSocketEvents | undefined;

  constructor(socket: WebSocket, stream: Socket) {
    this.#socket = socket;
    this.#stream = stream;
  }

  start(events: MessageSocketEvents): void {
    this.#events = events;
    let error: Error | undefined;
    this.#socket.on("message", (message, isBinary) => {
      events.onMessage(isBinary ? (message as Buffer) : undefined);
    });
    this.#socket.on("error", (thrown) => (error = thrown));
    this.#socket.on("close", (code) => events.onClose(error?.message ?? `code ${code}`));
  }

  get hasRoom(): boolean {
    return this.#bufferedBytes < maxBufferedBytes;
  }

  get counts(): { received: number; sent: number } {
    return { received: this.#stream.bytesRead, sent: this.#stream.bytesWritten };
  }

  send(message: Uint8Array): void {
    const { length } = message;
    this.#bufferedBytes += length;
    this.#socket.send(Buffer.from(message), { binary: true }, () => {
      const hadRoom = this.hasRoom;
      this.#bufferedBytes -= length;
      if (!hadRoom && this.hasRoom) this.#events?.onRoom();
    });
  }

  close(): void {
    this.#socket.close();
    const timer = setTimeout(() => this.#socket.terminate(), goodbyeMs);
    this.#socket.once("close", () => clearTimeout(timer));
  }
}
