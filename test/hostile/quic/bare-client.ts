import quiche from "@matrixai/quic/native/quiche.js";
import type { Connection } from "@matrixai/quic/native/types.js";

import { loadBinding } from "../../../src/transports/quic/binding.ts";
import type { EngineConfig } from "../../../src/transports/quic/binding.ts";
import { createEngineConfig, streamWindowBytes } from "../../../src/transports/quic/config.ts";

const local = { host: "127.0.0.1", port: 1 };
const remote = { host: "127.0.0.1", port: 2 };

/** A client of the engine that does nothing by itself: datagrams are carried by hand. */
export class BareClient {
  readonly #native: Connection;

  static async create(): Promise<BareClient> {
    const config = await (commonConfig ??= createConfig());
    return new BareClient(quiche.Connection.connect(null, new Uint8Array(0), local, remote, config));
  }

  private constructor(native: Connection) {
    this.#native = native;
  }

  get isEstablished(): boolean {
    return this.#native.isEstablished();
  }

  /** Takes what the server has sent. */
  receive(datagram: Buffer): void {
    this.#native.recv(Buffer.from(datagram), { from: remote, to: local });
  }

  /** All datagrams that it wants to send now. */
  send(): Buffer[] {
    const out = Buffer.alloc(1200);
    const datagrams: Buffer[] = [];
    for (let sent = this.#native.send(out); sent !== null; sent = this.#native.send(out)) {
      datagrams.push(Buffer.from(out.subarray(0, sent[0])));
    }
    return datagrams;
  }
}

let commonConfig: Promise<EngineConfig> | undefined;

async function createConfig(): Promise<EngineConfig> {
  const binding = await loadBinding();
  const profile = { maxDatagramBytes: 1200, idleTimeoutMs: 5000, maxStreamWindowBytes: streamWindowBytes.loopback };
  const tls = { verifyPeer: false, allowFailure: true, ca: null, key: null, cert: null };
  return createEngineConfig(binding, tls, profile);
}

/** The first datagram of a new client, as it should be. */
export async function firstDatagram(): Promise<Buffer> {
  return (await BareClient.create()).send()[0]!;
}
