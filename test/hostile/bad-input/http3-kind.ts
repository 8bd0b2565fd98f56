import { ConecError } from "../../../src/index.ts";
import type { BidirectionalStream, CloseInfo, Connection } from "../../../src/index.ts";
import { encodeVarints } from "../../../src/streams/varint.ts";
import { createSelfSignedCertificate, listen, quic } from "../../../src/transports/quic/index.ts";
import { StreamHead } from "../../../src/transports/quic/http3/stream-head.ts";
import { frameTypes } from "../../../src/transports/quic/http3/frames.ts";
import { TlvParser } from "../../../src/transports/quic/http3/tlv-parser.ts";
import { capsuleTypes, decodeClose } from "../../../src/transports/quic/webtransport/capsules.ts";
import { webTransportStreamErrorCodes } from "../../../src/transports/quic/webtransport/error-codes.ts";
import { sessionStreamTypes } from "../../../src/transports/quic/webtransport/settings.ts";
import { RawHttp3Client, sessionRequest, statusOf } from "../../transports/http3-client.ts";
import type { Exchange } from "../../transports/http3-client.ts";
import type { TransportKind } from "../../support/hub.ts";

/** Eve comes over WebTransport on HTTP/3, which she makes of bytes; the honest ones come over QUIC. */
export const http3Kind: HostileKind = {
  name: "webtransport",
  listen: async () => {
    const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
    const listener = await listen({ host: "127.0.0.1", port: 0, cert, key });
    const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
    const url = `https://127.0.0.1:${listener.address.port}`;
    hashes.set(url, hash);
    return { listener, transport, url };
  },
  connectEve: (url) => openSession(Number(new URL(url).port), hashes.get(url)!),
};

/** A transport, and another way over which Eve comes. */
export interface HostileKind extends TransportKind {
  connectEve?: (url: string) => Promise<Connection>;
}

const hashes = new Map<string, Uint8Array>();

async function openSession(port: number, hash: Uint8Array): Promise<Connection> {
  const client = await RawHttp3Client.connect(port);
  await client.sendSettings();
  client.driver.streams.errorCodes = webTransportStreamErrorCodes;
  const connect = await client.request(sessionRequest);
  const streams = { bidirectional: new Incoming<BidirectionalStream>(), unidirectional: new Incoming<Readable>() };
  client.onStream(({ readable }, send) => {
    void withoutPreamble(readable).then((rest) => {
      if (send === undefined) streams.unidirectional.controller.enqueue(rest);
      else streams.bidirectional.controller.enqueue({ readable: rest, writable: send.writable });
    }, ignore);
  });
  if ((await statusOf(connect)) !== "200") throw new Error("There is no session");
  const preamble = (type: number): Uint8Array => encodeVarints(type, connect.id);
  const { bidirectional, unidirectional } = sessionStreamTypes;
  const closed = ending(client, connect);
  let isOver = false;
  const markOver = (): void => void (isOver = true);
  closed.then(markOver, markOver);
  const checkOpen = (): void => {
    if (isOver) throw new ConecError("closed", "The session is over");
  };
  return {
    transport: "webtransport",
    remote: { host: "127.0.0.1", port },
    server: { certificateHashes: [hash] },
    closed,
    incomingBidirectionalStreams: streams.bidirectional.readable,
    incomingUnidirectionalStreams: streams.unidirectional.readable,
    async createBidirectionalStream() {
      checkOpen();
      const { receive, send } = client.driver.streams.openBidirectional(preamble(bidirectional));
      return { readable: receive.readable, writable: send.writable };
    },
    async createUnidirectionalStream() {
      checkOpen();
      return client.driver.streams.openUnidirectional(preamble(unidirectional)).writable;
    },
    close: () => void client.close(),
    getStats: async () => ({}),
  };
}

type Readable = ReadableStream<Uint8Array>;

/** What the server opens, until somebody takes it. */
class Incoming<T> {
  controller!: ReadableStreamDefaultController<T>;
  readonly readable = new ReadableStream<T>({ start: (controller) => void (this.controller = controller) });
}

async function withoutPreamble(readable: Readable): Promise<Readable> {
  const head = new StreamHead(readable);
  await head.varint();
  await head.varint();
  return head.rest();
}

/** How the session ended: by the server's capsule, or with its stream, or with the connection. */
async function ending(client: RawHttp3Client, { reader }: Exchange): Promise<CloseInfo> {
  const frames = new TlvParser((type) => (type === frameTypes.data ? "whole" : "skip"));
  const capsules = new TlvParser((type) => (type === capsuleTypes.closeSession ? "whole" : "skip"));
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      for (const { payload } of frames.push(read.value)) {
        for (const capsule of capsules.push(payload)) return decodeClose(capsule.payload);
      }
    }
  } catch {
    // The connection has ended.
  } finally {
    await client.close();
  }
  const end = await client.ended;
  if ("error" in end) throw end.error;
  return end.info;
}

function ignore(): void {}
