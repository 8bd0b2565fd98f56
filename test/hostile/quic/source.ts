import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";

/** So many sources, open as long as `use` takes. */
export async function withSources(
  port: number,
  count: number,
  use: (sources: Source[]) => Promise<void>,
): Promise<void> {
  const sources = await Promise.all(Array.from({ length: count }, () => Source.open(port)));
  try {
    await use(sources);
  } finally {
    await Promise.all(sources.map((source) => source.close()));
  }
}

/** A UDP socket that sends to the victim from an address of its own, and keeps what comes back. */
export class Source {
  readonly heard: Buffer[] = [];
  #taken = 0;
  readonly #socket: Socket;
  readonly #port: number;

  static async open(port: number, host = "127.0.0.1"): Promise<Source> {
    const socket = createSocket({ type: "udp4", recvBufferSize: 1024 * 1024 });
    socket.on("error", () => {});
    socket.bind(0, host);
    await once(socket, "listening");
    return new Source(socket, port);
  }

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on("message", (datagram) => this.heard.push(datagram));
  }

  get heardBytes(): number {
    return this.heard.reduce((sum, { length }) => sum + length, 0);
  }

  /** What has come in until now is of no interest. */
  forget(): void {
    this.#taken = this.heard.length;
  }

  /** The next datagram of which `isWanted` holds; undefined when none comes for so long. */
  async next(isWanted: (datagram: Buffer) => boolean = () => true, giveUpMs = 500): Promise<Buffer | undefined> {
    for (;;) {
      while (this.#taken < this.heard.length) {
        const datagram = this.heard[this.#taken]!;
        this.#taken += 1;
        if (isWanted(datagram)) return datagram;
      }
      await once(this.#socket, "message", { signal: AbortSignal.timeout(giveUpMs) }).catch(() => {});
      if (this.#taken === this.heard.length) return undefined;
    }
  }

  /** Resolves when it is on its way. */
  send(datagram: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.send(Buffer.from(datagram), this.#port, "127.0.0.1", () => resolve());
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
