import type { Transport } from "../../src/index.ts";
import { quic } from "../../src/transports/quic/index.ts";
import { websocket } from "../../src/transports/websocket/node/index.ts";
import { TcpPath } from "../support/network/tcp-path.js";
import { UdpPath } from "../support/network/udp-path.js";

/** Where the Coordinator listens, and the SHA-256 of its certificate, in hex. */
export interface Address {
  ports: Record<TransportName, number>;
  hash: string;
}

export type TransportName = "quic" | "websocket";

/** The way of one Client to the Coordinator, which fails when it is told to. */
export class Way {
  readonly url: string;
  readonly transport: Transport;
  /** Of these, TCP knows only silence in both directions. */
  readonly isUdp: boolean;
  readonly #path: UdpPath | TcpPath;

  static async open(name: TransportName, address: Address, seed: number, idleTimeoutMs: number): Promise<Way> {
    const serverPort = address.ports[name];
    const path =
      name === "quic"
        ? await UdpPath.open({ serverPort, seed, mostClients: rememberedDials })
        : await TcpPath.open({ serverPort });
    return new Way(name, path, address.hash, idleTimeoutMs);
  }

  private constructor(name: TransportName, path: UdpPath | TcpPath, hash: string, idleTimeoutMs: number) {
    const serverCertificateHashes = [{ algorithm: "sha-256" as const, value: Buffer.from(hash, "hex") }];
    const keepAliveIntervalMs = Math.ceil(idleTimeoutMs / 4);
    const options = { serverCertificateHashes, idleTimeoutMs, keepAliveIntervalMs, connectTimeoutMs: 5000 };
    this.#path = path;
    this.url = `https://127.0.0.1:${path.port}`;
    this.isUdp = name === "quic";
    this.transport = this.isUdp ? quic(options) : websocket(options);
  }

  /** Nothing passes any more. */
  silence(direction?: "to-server" | "to-client"): void {
    if (this.#path instanceof UdpPath) this.#path.set({ blackout: true }, direction);
    else this.#path.blackout = true;
  }

  lose(share: number): void {
    if (this.#path instanceof UdpPath) this.#path.set({ loss: share });
  }

  heal(): void {
    if (this.#path instanceof UdpPath) this.#path.set({ blackout: false, loss: 0 });
    else this.#path.blackout = false;
  }

  /** The Coordinator sees the Client at another address. */
  async rebind(): Promise<void> {
    if (this.#path instanceof UdpPath) await this.#path.rebind();
  }

  async close(): Promise<void> {
    await this.#path.close();
  }
}

/** Each dial comes from a port of its own. */
const rememberedDials = 8;
