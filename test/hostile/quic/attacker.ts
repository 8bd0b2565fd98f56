import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import quiche from "@matrixai/quic/native/quiche.js";

import { Client } from "../../../src/index.ts";
import type { Connection } from "../../../src/index.ts";
import { Engine, loadBinding } from "../../../src/transports/quic/binding.ts";
import { createEngineConfig, streamWindowBytes } from "../../../src/transports/quic/config.ts";
import { QuicConnection } from "../../../src/transports/quic/connection.ts";
import type { ConnectionEvents } from "../../../src/transports/quic/connection.ts";
import type { ConnectionEnd } from "../../../src/transports/quic/connection-end.ts";
import { Driver } from "../../../src/transports/quic/driver.ts";
import { defaultConnectionLimits } from "../../../src/transports/quic/connection-limits.ts";
import { openUdpEndpoint } from "../../../src/transports/quic/udp/open-udp-endpoint.ts";
import type { UdpEndpoint } from "../../../src/transports/quic/udp/udp-endpoint.ts";
import type { Scene } from "./attack.ts";
import { frames } from "./frames.ts";
import { PacketProtection } from "./packet-protection.ts";

export interface AttackerOptions {
  /** Length of the attacker's own connection id. A conec server takes only 0. */
  sourceIdBytes?: number;
  /** What every stream of the attacker's may be sent before it says more. */
  windowBytes?: number;
  /** Default 5000. */
  giveUpMs?: number;
}

/** The engine is told the same two addresses always, as by conec itself. */
const local = { host: "127.0.0.1", port: 1 };
const remote = { host: "127.0.0.1", port: 2 };

/** As many as the victim's socket holds. */
const burstPackets = 96;

/** Far above what the engine uses for its own packets, so that forged ones are new. */
const firstForgedPacketNumber = 1_000_000;

/**
 * A client of the victim's that has completed its handshake as it should, and then does what it likes: it has the keys of its
 * connection, so its packets may hold any frames.
 */
export class Attacker {
  readonly connection: Connection;
  /** How the connection ended. */
  readonly ended: Promise<ConnectionEnd>;
  /** Bytes and datagrams that came in. */
  readonly heard = { bytes: 0, datagrams: 0 };
  readonly #port: number;
  readonly #driver: Driver;
  readonly #engine: Engine;
  readonly #endpoint: UdpEndpoint;
  readonly #protection: PacketProtection;
  #packetNumber = firstForgedPacketNumber;
  #isOver = false;
  #hasForged = false;
  #isDeaf = false;

  static async connect(port: number, options: AttackerOptions = {}): Promise<Attacker> {
    const binding = await loadBinding();
    const { sourceIdBytes = 0, windowBytes, giveUpMs = 5000 } = options;
    const profile = { maxDatagramBytes: 1350, idleTimeoutMs: 30_000, maxStreamWindowBytes: streamWindowBytes.loopback };
    const tls = { verifyPeer: false, allowFailure: true, ca: null, key: null, cert: null };
    const config = createEngineConfig(binding, tls, profile);
    if (windowBytes !== undefined) {
      config.setInitialMaxStreamDataBidiLocal(windowBytes);
      config.setInitialMaxStreamDataBidiRemote(windowBytes);
      config.setInitialMaxStreamDataUni(windowBytes);
    }
    config.logKeys();
    const folder = mkdtempSync(join(tmpdir(), "attacker-"));
    const keyLog = join(folder, "keys");
    try {
      const native = quiche.Connection.connect(null, randomBytes(sourceIdBytes), local, remote, config);
      native.setKeylog(keyLog);
      const engine = new Engine(native);
      const endpoint = await openUdpEndpoint({ family: 4, connect: { host: "127.0.0.1", port } });
      const events = new EventEmitter();
      const ended = once(events, "end").then(([end]) => end as ConnectionEnd);
      let connectionEvents: ConnectionEvents | undefined;
      const driver = new Driver({
        engine,
        endpoint,
        role: "client",
        peer: undefined,
        datagramCandidates: [],
        streamWindowBytes: streamWindowBytes.loopback,
        keepAliveIntervalMs: 500,
        openTimeoutMs: giveUpMs,
        maxOpeningBytes: Infinity,
        limits: defaultConnectionLimits,
        events: {
          onEstablished: () => events.emit("established"),
          onStream: (receive, send) => connectionEvents?.onStream(receive, send),
          onEnd: (end) => {
            connectionEvents?.onEnd(end);
            events.emit("end", end);
          },
          // The socket is the attacker's, who may go on without an engine.
          onReleased: () => {},
        },
      });
      const established = once(events, "established");
      const connection = new QuicConnection("quic", driver, { remote, server: undefined }, (wanted) => {
        connectionEvents = wanted;
      });
      let receive = (datagram: Buffer): void => void driver.receive(datagram);
      endpoint.receive({ onDatagram: (datagram) => receive(datagram) });
      driver.process();
      const failed = ended.then((end) => Promise.reject(new Error(`Not connected: ${JSON.stringify(end)}`)));
      await Promise.race([established, failed]).catch(async (error: unknown) => {
        await endpoint.close();
        throw error;
      });
      // Streams are there once the driver has finished this turn.
      await setImmediate();
      const secret = /^CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)$/m.exec(readFileSync(keyLog, "latin1"))![1]!;
      const protection = new PacketProtection(Buffer.from(secret, "hex"));
      const attacker = new Attacker({ port, connection, ended, driver, engine, endpoint, protection });
      receive = (datagram) => attacker.#receive(datagram);
      return attacker;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private constructor(parts: {
    port: number;
    connection: Connection;
    ended: Promise<ConnectionEnd>;
    driver: Driver;
    engine: Engine;
    endpoint: UdpEndpoint;
    protection: PacketProtection;
  }) {
    this.#port = parts.port;
    this.connection = parts.connection;
    this.ended = parts.ended;
    void this.ended.then(() => (this.#isOver = true));
    this.#driver = parts.driver;
    this.#engine = parts.engine;
    this.#endpoint = parts.endpoint;
    this.#protection = parts.protection;
  }

  /** Joins the Coordinator, as a Client whose connection this is: there is no other to go on with. */
  join(id: string): Promise<Client> {
    const transport = { name: "quic", connect: () => Promise.resolve(this.connection) };
    return Client.connect(`https://127.0.0.1:${this.#port}`, { transport, id, reconnect: false });
  }

  /**
   * From now on nothing that comes in is looked at, and so nothing is acknowledged. Else the engine might stumble over the
   * answers to what it does not know that it has sent.
   */
  fallDeaf(): void {
    this.#isDeaf = true;
  }

  /**
   * A packet with these frames, as the victim expects it next. From then on what the engine sends is of no use, since the
   * victim takes its packet numbers for others.
   */
  forge(...contents: Uint8Array[]): Buffer {
    this.#hasForged = true;
    this.#packetNumber += 1;
    return this.#protection.seal(this.#engine.destinationId(), this.#packetNumber, Buffer.concat(contents));
  }

  /** Sends a packet with these frames. */
  send(...contents: Uint8Array[]): void {
    this.sendDatagram(this.forge(...contents));
  }

  sendDatagram(datagram: Uint8Array): void {
    this.#endpoint.sendCopy(datagram);
  }

  /**
   * Sends packets with what `next` makes, at most so many bytes, until the victim closes the connection.
   *
   * @param keepPace resolves when the victim has had its turn: else most would be lost before it gets there
   */
  async flood(bytes: number, next: (packet: number) => Uint8Array[], keepPace: () => Promise<unknown>): Promise<void> {
    for (let sent = 0, packet = 1; sent < bytes && !this.#isOver; packet += 1) {
      const datagram = this.forge(...next(packet - 1));
      this.sendDatagram(datagram);
      sent += datagram.length;
      if (packet % burstPackets !== 0) continue;
      await setImmediate();
      await keepPace();
    }
  }

  /** Says goodbye and goes. */
  async close(): Promise<void> {
    if (this.#hasForged) this.send(frames.closeApplication(0, new Uint8Array(0)));
    else this.#driver.close({ closeCode: 0, reason: "" });
    await this.vanish();
  }

  /** Goes without a word. */
  async vanish(): Promise<void> {
    this.#isDeaf = true;
    this.#driver.release();
    await this.#endpoint.close();
  }

  #receive(datagram: Buffer): void {
    this.heard.bytes += datagram.length;
    this.heard.datagrams += 1;
    if (!this.#isDeaf) this.#driver.receive(datagram);
  }
}

/** One attacker after the other, each gone when `use` is done with it. */
export async function withAttackers(
  { victim }: Scene,
  count: number,
  use: (attacker: Attacker, index: number) => Promise<void>,
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const attacker = await Attacker.connect(victim.port);
    try {
      await use(attacker, index);
    } finally {
      await attacker.close();
    }
  }
}
