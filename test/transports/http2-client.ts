/** A client of WebTransport over HTTP/2 (draft-ietf-webtrans-http2) that sends what it is told to, right or wrong. */
import { once } from "node:events";
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";

import { encodeVarints } from "../../src/streams/varint.ts";

/** As @fails-components/webtransport has them. */
export const capsuleTypes = {
  datagram: 0,
  resetStream: 0x190b4d39,
  stopSending: 0x190b4d3a,
  stream: 0x190b4d3b,
  streamWithFin: 0x190b4d3c,
  maxData: 0x190b4d3d,
  maxStreamData: 0x190b4d3e,
  maxStreamsBidirectional: 0x190b4d3f,
  maxStreamsUnidirectional: 0x190b4d40,
  dataBlocked: 0x190b4d41,
  streamDataBlocked: 0x190b4d42,
  streamsBlockedUnidirectional: 0x190b4d43,
  streamsBlockedBidirectional: 0x190b4d44,
  close: 0x2843,
  drain: 0x78ae,
};

export function capsule(type: number, numbers: readonly number[], payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = numbers.length === 0 ? new Uint8Array(0) : encodeVarints(...numbers);
  return Buffer.concat([encodeVarints(type, head.length + payload.length), head, payload]);
}

/** The beginning of a capsule of that length. */
export function capsuleHead(type: number, length: number): Buffer {
  return Buffer.from(encodeVarints(type, length));
}

export class Http2Client {
  readonly connection: ClientHttp2Session;

  static async connect(port: number): Promise<Http2Client> {
    const connection = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    connection.on("error", () => {});
    await once(connection, "remoteSettings");
    return new Http2Client(connection);
  }

  private constructor(connection: ClientHttp2Session) {
    this.connection = connection;
  }

  /** Asks for a session, or for whatever the header fields say. */
  request(header: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const session = { ":method": "CONNECT", ":protocol": "webtransport", ":scheme": "https", ":path": "/" };
    const stream = this.connection.request({ ...session, ...header }, { endStream: false });
    stream.on("error", () => {});
    stream.resume();
    return stream;
  }

  /** A session that the server has said yes to. */
  async session(header?: OutgoingHttpHeaders): Promise<ClientHttp2Stream> {
    const stream = this.request(header);
    const status = await statusOf(stream);
    if (status !== 200) throw new Error(`The answer was ${status}`);
    return stream;
  }

  async close(): Promise<void> {
    if (this.connection.destroyed) return;
    this.connection.destroy();
    await once(this.connection, "close");
  }
}

/** Resolves when the server has sent so many capsules of that type; counted by their first bytes. */
export async function received(stream: ClientHttp2Stream, type: number, count: number): Promise<void> {
  let all = Buffer.alloc(0);
  const head = Buffer.from(encodeVarints(type));
  while (occurrences(all, head) < count) {
    const [bytes] = (await once(stream, "data")) as [Buffer];
    all = Buffer.concat([all, bytes]);
  }
}

function occurrences(all: Buffer, part: Buffer): number {
  let count = 0;
  for (let at = all.indexOf(part); at >= 0; at = all.indexOf(part, at + 1)) count += 1;
  return count;
}

export async function statusOf(stream: ClientHttp2Stream): Promise<number | undefined> {
  const [fields] = (await once(stream, "response")) as [{ ":status"?: number }];
  return fields[":status"];
}
