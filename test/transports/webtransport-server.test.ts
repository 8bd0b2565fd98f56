/** What a listener does with HTTP/3 and WebTransport, over a real connection. With bad ones: test/hostile/bad-input. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Connection } from "../../src/core/transport.ts";
import { encodeVarints } from "../../src/streams/varint.ts";
import { createSelfSignedCertificate, listen } from "../../src/transports/quic/index.ts";
import type { QuicListener } from "../../src/transports/quic/index.ts";
import { http3ErrorCodes } from "../../src/transports/quic/http3/error-codes.ts";
import { encodeFrame } from "../../src/transports/quic/http3/frames.ts";
import { encodeClose } from "../../src/transports/quic/webtransport/capsules.ts";
import { maxEarlyStreams } from "../../src/transports/quic/webtransport/early-streams.ts";
import { toHttp3Code, webTransportStreamErrorCodes } from "../../src/transports/quic/webtransport/error-codes.ts";
import { next, rejection } from "../support/hub.ts";
import { RawHttp3Client, sessionRequest, statusOf } from "./http3-client.ts";
import type { Exchange } from "./http3-client.ts";

const { cert, key } = createSelfSignedCertificate({ hosts: ["localhost"] });

let listener: QuicListener;
let client: RawHttp3Client;

beforeEach(async () => {
  listener = await listen({ host: "127.0.0.1", cert, key, allowedOrigins: ["https://app.example"] });
  client = await RawHttp3Client.connect(listener.address.port);
});

afterEach(async () => {
  await client.close();
  await listener.close();
});

/** A session, and the listener's end of it. */
async function session(fields = sessionRequest): Promise<{ connect: Exchange; server: Connection }> {
  await client.sendSettings();
  const connect = await client.request(fields);
  expect(await statusOf(connect)).toBe("200");
  return { connect, server: await next(listener.incomingConnections) };
}

describe("requests", () => {
  test("for a session: a Connection with path and origin", async () => {
    const fields = [...sessionRequest.slice(0, 4), [":path", "/a?b"], ["origin", "https://app.example"]] as const;
    const { server } = await session([...fields]);
    expect(server.transport).toBe("webtransport");
    expect(server.remote).toMatchObject({ host: "127.0.0.1", path: "/a?b", origin: "https://app.example" });
    expect(await server.getStats()).toMatchObject({ datagramBytes: 1452 });
  });

  test("for a session of a client that is no browser: no origin", async () => {
    expect((await session()).server.remote).not.toHaveProperty("origin");
  });

  test("of an origin that is not allowed: 403", async () => {
    await client.sendSettings();
    const refused = await client.request([...sessionRequest, ["origin", "https://app.example:8443"]]);
    expect(await statusOf(refused)).toBe("403");
  });

  test("for a second session: 429, and the first goes on", async () => {
    const { server } = await session();
    expect(await statusOf(await client.request(sessionRequest))).toBe("429");
    await server.createUnidirectionalStream();
  });

  test.each([
    ["GET", [[":method", "GET"], ...sessionRequest.slice(2)] as const],
    [
      "a plain CONNECT",
      [
        [":method", "CONNECT"],
        [":authority", "localhost"],
      ] as const,
    ],
    [
      "another protocol",
      [[":protocol", "websocket"], ...sessionRequest.filter(([name]) => name !== ":protocol")] as const,
    ],
  ])("%s: 404, to the end", async (_, fields) => {
    await client.sendSettings();
    const exchange = await client.request([...fields]);
    expect(await statusOf(exchange)).toBe("404");
    expect((await exchange.reader.read()).done).toBe(true);
    expect(await statusOf(await client.request(sessionRequest))).toBe("200");
  });

  test("with too large a header: 431, by its length and by its content", async () => {
    await client.sendSettings();
    expect(await statusOf(await client.exchange(encodeVarints(0x01, 16_385)))).toBe("431");
    const many = new Uint8Array(1000).fill(0xd1, 2);
    expect(await statusOf(await client.exchange(encodeFrame(0x01, many)))).toBe("431");
  });

  test("that are malformed are reset, and the connection goes on", async () => {
    await client.sendSettings();
    const { reader } = await client.request([[":method", "GET"]]);
    client.driver.streams.errorCodes = { ...webTransportStreamErrorCodes, decode: (wireCode) => wireCode };
    expect(await rejection(reader.read())).toMatchObject({ streamErrorCode: http3ErrorCodes.H3_MESSAGE_ERROR });
    expect(await statusOf(await client.request(sessionRequest))).toBe("200");
  });
});

describe("what is unknown is ignored", () => {
  test("frames, streams, capsules, datagrams", async () => {
    const control = await client.sendSettings();
    await control.write(Uint8Array.of(0x21, 0x03, 1, 2, 3));
    await client.send(0x21, 1, 2, 3);
    const head = encodeFrame(0x21, new Uint8Array(50_000));
    const connect = await client.exchange(head);
    const section = await client.request(sessionRequest);
    expect(await statusOf(section)).toBe("200");
    const server = await next(listener.incomingConnections);
    await section.writer.write(encodeFrame(0x00, encodeFrame(0x4242, new Uint8Array(5000))));
    await section.writer.write(encodeFrame(0x00, encodeClose({ closeCode: 7, reason: "done" })));
    expect(await server.closed).toEqual({ closeCode: 7, reason: "done" });
    connect.writer.close().catch(() => {});
  });
});

describe("a session", () => {
  test("that its client closes: the QUIC connection is closed soon, with no error", async () => {
    const { connect, server } = await session();
    await connect.writer.write(encodeFrame(0x00, encodeClose({ closeCode: 4_000_000_000, reason: "ok ☾" })));
    expect(await server.closed).toEqual({ closeCode: 4_000_000_000, reason: "ok ☾" });
    expect(await client.closeCode()).toBe(http3ErrorCodes.H3_NO_ERROR);
  });

  test("whose stream ends: a close without words", async () => {
    const { connect, server } = await session();
    await connect.writer.close();
    expect(await server.closed).toEqual({ closeCode: 0, reason: "" });
  });

  test("whose stream is reset: connection-lost, for its streams too", async () => {
    const { connect, server } = await session();
    const writable = await server.createUnidirectionalStream();
    await connect.writer.abort();
    expect(await rejection(server.closed)).toMatchObject({ code: "connection-lost", remote: true });
    expect(await rejection(writable.getWriter().closed)).toMatchObject({ code: "connection-lost" });
  });

  test("whose client closes the QUIC connection under it: connection-lost", async () => {
    const { server } = await session();
    client.driver.close({ closeCode: 0x100, reason: "" });
    expect(await rejection(server.closed)).toMatchObject({ code: "connection-lost", remote: true });
  });

  test("that the listener closes: its client gets the capsule first", async () => {
    const { connect } = await session();
    await listener.close({ closeCode: 9, reason: "bye" });
    const { value } = await connect.reader.read();
    expect(value).toEqual(encodeFrame(0x00, encodeClose({ closeCode: 9, reason: "bye" })));
    expect(await client.closeCode()).toBe(http3ErrorCodes.H3_NO_ERROR);
  });

  test("an error code of a stream travels in the space of WebTransport", async () => {
    const { connect, server } = await session();
    const writer = await client.send(0x40, 0x54, connect.id, 1);
    const readable = await next(server.incomingUnidirectionalStreams);
    client.driver.streams.errorCodes = { encode: () => toHttp3Code(4_000_000_000), decode: () => 0 };
    const reader = readable.getReader();
    await reader.read();
    void writer.abort();
    expect(await rejection(reader.read())).toMatchObject({ code: "aborted", streamErrorCode: 4_000_000_000 });
  });
});

describe("early streams", () => {
  test("are kept for their session, up to a bound; those of no session are dropped", async () => {
    await client.sendSettings();
    const writers = [];
    for (let index = 0; index < maxEarlyStreams + 10; index += 1) {
      writers.push(await client.send(0x40, 0x54, index === 0 ? 0x04 : 0x00, index));
    }
    // Those beyond the bound are told to stop, and nothing else is.
    const stopped = writers.map((writer) => rejection(writer.closed));
    await Promise.all(stopped.slice(maxEarlyStreams));
    const connect = await client.request(sessionRequest);
    expect(connect.id).toBe(0);
    const server = await next(listener.incomingConnections);
    const first = (await next(server.incomingUnidirectionalStreams)).getReader();
    expect((await first.read()).value).toEqual(Uint8Array.of(1));
    // The one of a session that does not exist.
    await stopped[0];
    for (let index = 2; index < maxEarlyStreams; index += 1) await next(server.incomingUnidirectionalStreams);
  });
});
