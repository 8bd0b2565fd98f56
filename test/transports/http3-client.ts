import { once } from "node:events";
import { EventEmitter } from "node:events";

import { readVarint, varintLengthFrom } from "../../src/streams/varint.ts";
import { loadBinding } from "../../src/transports/quic/binding.ts";
import { createEngineConfig, streamWindowBytes } from "../../src/transports/quic/config.ts";
import { Driver } from "../../src/transports/quic/driver.ts";
import type { ConnectionEnd } from "../../src/transports/quic/connection-end.ts";
import { encodeFrame, frameTypes } from "../../src/transports/quic/http3/frames.ts";
import { decodeFieldSection, encodeFieldSection } from "../../src/transports/quic/http3/qpack.ts";
import type { Field } from "../../src/transports/quic/http3/qpack.ts";
import type { ReceiveStream } from "../../src/transports/quic/receive-stream.ts";
import type { SendStream } from "../../src/transports/quic/send-stream.ts";
import { defaultConnectionLimits } from "../../src/transports/quic/connection-limits.ts";
import { openUdpEndpoint } from "../../src/transports/quic/udp/open-udp-endpoint.ts";
import type { UdpEndpoint } from "../../src/transports/quic/udp/udp-endpoint.ts";

/** The fields of a request for a session. */
export const sessionRequest: Field[] = [
  [":method", "CONNECT"],
  [":protocol", "webtransport"],
  [":scheme", "https"],
  [":authority", "localhost"],
  [":path", "/"],
];

/** A client, with ALPN `h3` unless told otherwise, that sends whatever bytes a test gives it. */
export class RawHttp3Client {
  readonly driver: Driver;
  /** How the connection ended. */
  readonly ended: Promise<ConnectionEnd>;
  readonly #endpoint: UdpEndpoint;
  readonly #events: EventEmitter;

  /** @throws what the connection ended with before it was up */
  static async connect(port: number, applicationProtocols = ["h3"]): Promise<RawHttp3Client> {
    const binding = await loadBinding();
    const profile = { maxDatagramBytes: 1200, idleTimeoutMs: 5000, maxStreamWindowBytes: streamWindowBytes.loopback };
    const tls = { verifyPeer: false, allowFailure: true, ca: null, key: null, cert: null };
    const options = { ...profile, applicationProtocols, datagrams: true };
    const engine = binding.connect(null, createEngineConfig(binding, tls, options));
    const endpoint = await openUdpEndpoint({ family: 4, connect: { host: "127.0.0.1", port } });
    const events = new EventEmitter();
    const driver = new Driver({
      engine,
      endpoint,
      role: "client",
      peer: undefined,
      datagramCandidates: [],
      streamWindowBytes: streamWindowBytes.loopback,
      keepAliveIntervalMs: Infinity,
      maxOpeningBytes: Infinity,
      limits: defaultConnectionLimits,
      events: {
        onEstablished: () => events.emit("established"),
        onStream: (receive, send) => events.emit("stream", receive, send),
        onEnd: (end) => events.emit("end", end),
        onReleased: () => void endpoint.close(),
      },
    });
    endpoint.receive({ onDatagram: (datagram) => driver.receive(datagram) });
    const established = once(events, "established");
    const client = new RawHttp3Client(driver, endpoint, events);
    driver.process();
    const failed = client.ended.then((end) => Promise.reject("error" in end ? end.error : new Error(end.info.reason)));
    try {
      await Promise.race([established, failed]);
    } catch (error) {
      await client.close();
      throw error;
    }
    // Streams are there once the driver has finished this turn.
    await new Promise((resolve) => setImmediate(resolve));
    return client;
  }

  private constructor(driver: Driver, endpoint: UdpEndpoint, events: EventEmitter) {
    this.driver = driver;
    this.#endpoint = endpoint;
    this.#events = events;
    this.ended = once(events, "end").then(([end]) => end as ConnectionEnd);
  }

  /** The application code that the server closed the connection with. */
  async closeCode(): Promise<number | undefined> {
    const end = await this.ended;
    return "info" in end ? end.info.closeCode : undefined;
  }

  /** Opens a one-way stream and sends bytes on it; it stays open. */
  async send(...bytes: number[]): Promise<WritableStreamDefaultWriter<Uint8Array>> {
    const writer = this.driver.streams.openUnidirectional().writable.getWriter();
    writer.closed.catch(() => {});
    await writer.write(Uint8Array.from(bytes));
    return writer;
  }

  /** A control stream with the settings of Chromium 156. */
  async sendSettings(): Promise<WritableStreamDefaultWriter<Uint8Array>> {
    return await this.send(0x00, 0x04, 0x07, 0x33, 0x01, 0xab, 0x60, 0x37, 0x42, 0x01);
  }

  /** Opens a stream and sends bytes on it. */
  async exchange(bytes: Uint8Array): Promise<Exchange> {
    const { receive, send } = this.driver.streams.openBidirectional();
    const writer = send.writable.getWriter();
    writer.closed.catch(() => {});
    await writer.write(bytes);
    return { id: receive.id, writer, reader: receive.readable.getReader() };
  }

  async request(fields: readonly Field[]): Promise<Exchange> {
    return await this.exchange(encodeFrame(frameTypes.headers, encodeFieldSection(fields)));
  }

  /** The next stream that the server opens, without its control stream. */
  async nextStream(): Promise<ReceiveStream> {
    for (;;) {
      const [receive] = (await once(this.#events, "stream")) as [ReceiveStream];
      if (receive.id !== 3) return receive;
    }
  }

  /** Calls back for each stream that the server opens. */
  onStream(listener: (receive: ReceiveStream, send: SendStream | undefined) => void): void {
    this.#events.on("stream", listener);
  }

  async close(): Promise<void> {
    this.driver.close({ closeCode: 0x100, reason: "" });
    this.driver.release();
    await this.#endpoint.close();
  }
}

export interface Exchange {
  readonly id: number;
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
}

/** The status of a response, which is not cut. */
export async function statusOf({ reader }: Exchange): Promise<string | undefined> {
  const { value } = await reader.read();
  if (value === undefined || value[0] !== frameTypes.headers) return undefined;
  const start = 1 + varintLengthFrom(value[1]!);
  const section = value.subarray(start, start + readVarint(value, 1));
  return new Map(decodeFieldSection(section)).get(":status");
}
