import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import quiche from "@matrixai/quic/native/quiche.js";

import { loadBinding } from "../../../src/transports/quic/binding.ts";
import { createEngineConfig, streamWindowBytes } from "../../../src/transports/quic/config.ts";
import { frames } from "./frames.ts";
import { PacketProtection } from "./packet-protection.ts";
import type { Source } from "./source.ts";

const local = { host: "127.0.0.1", port: 1 };
const remote = { host: "127.0.0.1", port: 2 };

/** What a packet carries of a handshake. */
const pieceBytes = 1100;

/**
 * A handshake that is begun as it should be. When it is the client's turn to show its certificate, it says what it likes:
 * messages of TLS (RFC 8446, section 4) that no library would make.
 */
export class ForgedHandshake {
  readonly #source: Source;
  readonly #serverId: Uint8Array;
  readonly #protection: PacketProtection;
  #packetNumber = 0;
  #offset = 0;

  /** Undefined when the server does not go on. */
  static async begin(source: Source): Promise<ForgedHandshake | undefined> {
    const binding = await loadBinding();
    const profile = { maxDatagramBytes: 1200, idleTimeoutMs: 5000, maxStreamWindowBytes: streamWindowBytes.loopback };
    const tls = { verifyPeer: false, allowFailure: true, ca: null, key: null, cert: null };
    const config = createEngineConfig(binding, tls, profile);
    config.logKeys();
    const folder = mkdtempSync(join(tmpdir(), "forged-"));
    const keyLog = join(folder, "keys");
    try {
      const native = quiche.Connection.connect(null, new Uint8Array(0), local, remote, config);
      native.setKeylog(keyLog);
      source.forget();
      const out = Buffer.alloc(1200);
      while (!native.isEstablished()) {
        for (let sent = native.send(out); sent !== null; sent = native.send(out)) {
          await source.send(out.subarray(0, sent[0]));
        }
        const answer = await source.next();
        if (answer !== undefined) native.recv(Buffer.from(answer), { from: remote, to: local });
        else if (native.isClosed()) return undefined;
        // Says it again, as long as it would wait for an answer (idleTimeoutMs).
        else native.onTimeout();
      }
      const secret = /^CLIENT_HANDSHAKE_TRAFFIC_SECRET \w+ (\w+)$/m.exec(readFileSync(keyLog, "latin1"))![1]!;
      const protection = new PacketProtection(Buffer.from(secret, "hex"));
      return new ForgedHandshake(source, native.destinationId(), protection);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private constructor(source: Source, serverId: Uint8Array, protection: PacketProtection) {
    this.#source = source;
    this.#serverId = serverId;
    this.#protection = protection;
  }

  /** Goes on with these bytes. */
  async say(...messages: Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(messages);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      const frame = frames.crypto(this.#offset, piece);
      await this.#source.send(this.#protection.sealHandshake(this.#serverId, this.#packetNumber, frame));
      this.#offset += piece.length;
      this.#packetNumber += 1;
    }
  }
}

/** Messages of a client's handshake, right or wrong. */
export const tls = {
  /** Each certificate with its own length before it, or another one. */
  certificate: (chain: readonly Uint8Array[], lies: { list?: number; each?: number; message?: number } = {}) => {
    const entries = chain.map((der) => Buffer.concat([length(3, lies.each ?? der.length), der, length(2, 0)]));
    const list = Buffer.concat(entries);
    return message(11, Buffer.concat([Buffer.of(0), length(3, lies.list ?? list.length), list]), lies.message);
  },
  certificateVerify: (scheme: number, signature: Uint8Array) =>
    message(15, Buffer.concat([length(2, scheme), length(2, signature.length), signature])),
  finished: (verifyData: Uint8Array) => message(20, verifyData),
  other: (type: number, body: Uint8Array) => message(type, body),
};

function message(type: number, body: Uint8Array, claimed = body.length): Buffer {
  return Buffer.concat([Buffer.of(type), length(3, claimed), body]);
}

function length(bytes: number, value: number): Buffer {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}
