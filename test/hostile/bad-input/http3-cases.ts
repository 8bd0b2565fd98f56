import { encodeVarints } from "../../../src/streams/varint.ts";
import { http3ErrorCodes } from "../../../src/transports/quic/http3/error-codes.ts";
import { encodeFrame, frameTypes } from "../../../src/transports/quic/http3/frames.ts";
import { encodeFieldSection } from "../../../src/transports/quic/http3/qpack.ts";
import type { Field } from "../../../src/transports/quic/http3/qpack.ts";
import { capsuleTypes, encodeClose } from "../../../src/transports/quic/webtransport/capsules.ts";
import { maxEarlyStreams } from "../../../src/transports/quic/webtransport/early-streams.ts";
import { sessionRequest, statusOf } from "../../transports/http3-client.ts";
import type { Exchange, RawHttp3Client } from "../../transports/http3-client.ts";

/**
 * What the client gets: the connection is closed, or one of its streams reset or stopped (with a code that its engine may
 * forget), or a request is answered.
 */
export type Http3Outcome =
  | { closes: number }
  | { resets: number; stream: ReadableStreamDefaultReader<Uint8Array> }
  | { stops: WritableStreamDefaultWriter<Uint8Array> }
  | { answers: string; exchange: Exchange }
  | "nothing";

/** A client says something that it should not. */
export type Http3Input = [name: string, does: (client: RawHttp3Client) => Promise<Http3Outcome>];

const {
  H3_CLOSED_CRITICAL_STREAM,
  H3_EXCESSIVE_LOAD,
  H3_FRAME_ERROR,
  H3_FRAME_UNEXPECTED,
  H3_ID_ERROR,
  H3_MESSAGE_ERROR,
  H3_MISSING_SETTINGS,
  H3_SETTINGS_ERROR,
  H3_STREAM_CREATION_ERROR,
  QPACK_DECODER_STREAM_ERROR,
  QPACK_DECOMPRESSION_FAILED,
  QPACK_ENCODER_STREAM_ERROR,
} = http3ErrorCodes;

const longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/** Bytes on a stream of one direction, that close the connection. */
const unidirectional: [name: string, bytes: number[], closes: number][] = [
  ["a control stream without SETTINGS", [0x00, 0x07, 0x01, 0x00], H3_MISSING_SETTINGS],
  ["SETTINGS twice", [0x00, 0x04, 0x00, 0x04, 0x00], H3_FRAME_UNEXPECTED],
  ["a setting twice", [0x00, 0x04, 0x04, 0x33, 0x01, 0x33, 0x01], H3_SETTINGS_ERROR],
  ["a setting of HTTP/2", [0x00, 0x04, 0x02, 0x03, 0x01], H3_SETTINGS_ERROR],
  ["a switch that is neither on nor off", [0x00, 0x04, 0x02, 0x33, 0x02], H3_SETTINGS_ERROR],
  ["half a setting", [0x00, 0x04, 0x01, 0x33], H3_FRAME_ERROR],
  ["SETTINGS of 5000 bytes", [0x00, 0x04, 0x53, 0x88], H3_EXCESSIVE_LOAD],
  ["SETTINGS of 2^62 - 1 bytes", [0x00, 0x04, ...longest], H3_EXCESSIVE_LOAD],
  ["a frame of HTTP/2", [0x00, 0x04, 0x00, 0x06, 0x00], H3_FRAME_UNEXPECTED],
  ["DATA on the control stream", [0x00, 0x04, 0x00, 0x00, 0x01, 0x00], H3_FRAME_UNEXPECTED],
  ["HEADERS on the control stream", [0x00, 0x04, 0x00, 0x01, 0x00], H3_FRAME_UNEXPECTED],
  ["GOAWAY that grows", [0x00, 0x04, 0x00, 0x07, 0x01, 0x08, 0x07, 0x01, 0x09], H3_ID_ERROR],
  ["GOAWAY without an id", [0x00, 0x04, 0x00, 0x07, 0x00], H3_FRAME_ERROR],
  ["MAX_PUSH_ID that shrinks", [0x00, 0x04, 0x00, 0x0d, 0x01, 0x08, 0x0d, 0x01, 0x07], H3_ID_ERROR],
  ["CANCEL_PUSH of nothing", [0x00, 0x04, 0x00, 0x03, 0x01, 0x00], H3_ID_ERROR],
  ["a push stream", [0x01, 0x00], H3_STREAM_CREATION_ERROR],
  ["an entry for the dynamic table", [0x02, 0x3f, 0xe1, 0x1f], QPACK_ENCODER_STREAM_ERROR],
  ["an entry with a name of the static table", [0x02, 0xc0, 0x01, 0x61], QPACK_ENCODER_STREAM_ERROR],
  ["an acknowledgement of nothing", [0x03, 0x81], QPACK_DECODER_STREAM_ERROR],
  ["an increment of nothing", [0x03, 0x01], QPACK_DECODER_STREAM_ERROR],
  ["a session id that cannot be", [0x40, 0x54, 0x01], H3_ID_ERROR],
];

/** Bytes on a stream of two directions, that close the connection. */
const bidirectional: [name: string, bytes: number[], closes: number][] = [
  ["DATA before HEADERS", [0x00, 0x00], H3_FRAME_UNEXPECTED],
  ["SETTINGS in a request", [0x04, 0x00], H3_FRAME_UNEXPECTED],
  ["PUSH_PROMISE", [0x05, 0x00], H3_FRAME_UNEXPECTED],
  ["PRIORITY of HTTP/2", [0x02, 0x00], H3_FRAME_UNEXPECTED],
  ["a reference to the dynamic table", [0x01, 0x03, 0x01, 0x00, 0x80], QPACK_DECOMPRESSION_FAILED],
  ["a reference behind the base", [0x01, 0x03, 0x00, 0x00, 0x10], QPACK_DECOMPRESSION_FAILED],
  ["an index beyond the static table", [0x01, 0x04, 0x00, 0x00, 0xff, 0x24], QPACK_DECOMPRESSION_FAILED],
  ["an integer without an end", [0x01, 0x0c, 0x00, 0x00, ...Array(10).fill(0xff)], QPACK_DECOMPRESSION_FAILED],
  ["a string longer than its section", [0x01, 0x05, 0x00, 0x00, 0x23, 0x66, 0x6f], QPACK_DECOMPRESSION_FAILED],
  ["bad Huffman padding", [0x01, 0x05, 0x00, 0x00, 0x51, 0x81, 0x00], QPACK_DECOMPRESSION_FAILED],
  ["a session id that cannot be, of two directions", [0x40, 0x41, 0x02], H3_ID_ERROR],
];

/** Field sections that are no request: their stream is reset. */
const malformed: [name: string, fields: Field[]][] = [
  ["no path", sessionRequest.filter(([name]) => name !== ":path")],
  ["no authority", sessionRequest.filter(([name]) => name !== ":authority")],
  ["no method", sessionRequest.slice(1)],
  ["a path twice", [...sessionRequest, [":path", "/"]]],
  ["a field of the pseudo kind behind others", [["a", "b"], ...sessionRequest]],
  ["an unknown field of the pseudo kind", [...sessionRequest, [":status", "200"]]],
  ["a name in capitals", [...sessionRequest, ["Origin", "x"]]],
  ["a line break in a value", [...sessionRequest, ["origin", "x\r\ny: z"]]],
  ["a NUL in a value", [...sessionRequest, ["origin", "x\0"]]],
  ["a field of HTTP/1.1", [...sessionRequest, ["transfer-encoding", "chunked"]]],
];

/** Content of the CONNECT stream of a session, that ends it. */
const capsules: [name: string, bytes: Uint8Array][] = [
  ["a close that is too short", Uint8Array.from([...encodeVarints(capsuleTypes.closeSession, 3), 0, 0, 0])],
  ["a close that is too long", encodeFrame(capsuleTypes.closeSession, new Uint8Array(1029))],
  ["a close of 2^62 - 1 bytes", Uint8Array.from([...encodeVarints(capsuleTypes.closeSession), ...longest])],
  ["a drain that is not empty", encodeFrame(capsuleTypes.drainSession, Uint8Array.of(1))],
];

export const http3Inputs: Http3Input[] = [
  ...unidirectional.map(([name, bytes, closes]): Http3Input => [
    name,
    async (client) => {
      await client.send(...bytes);
      return { closes };
    },
  ]),
  ...[[0x00, 0x04, 0x00], [0x02], [0x03]].map((bytes): Http3Input => [
    `a second stream of the kind ${bytes[0]}`,
    async (client) => {
      await client.send(...bytes);
      await client.send(...bytes);
      return { closes: H3_STREAM_CREATION_ERROR };
    },
  ]),
  ...(["close", "abort"] as const).map((how): Http3Input => [
    `the ${how} of the control stream`,
    async (client) => {
      const control = await client.sendSettings();
      await openSession(client);
      await control[how]();
      return { closes: H3_CLOSED_CRITICAL_STREAM };
    },
  ]),
  ...bidirectional.map(([name, bytes, closes]): Http3Input => [
    name,
    async (client) => {
      await client.exchange(Uint8Array.from(bytes));
      return { closes };
    },
  ]),
  ...malformed.map(([name, fields]): Http3Input => [
    `a request with ${name}`,
    async (client) => {
      await client.sendSettings();
      const { reader } = await client.request(fields);
      return { resets: H3_MESSAGE_ERROR, stream: reader };
    },
  ]),
  ["an encoded header over 16 KiB", answered("431", (client) => client.exchange(encodeVarints(0x01, 16_385)))],
  ["a header of 2^62 - 1 bytes", answered("431", (client) => client.exchange(Uint8Array.of(0x01, ...longest)))],
  ["a header that grows beyond 16 KiB", answered("431", (client) => client.exchange(tinyButLarge()))],
  ["a GET", answered("404", (client) => client.request([[":method", "GET"], ...sessionRequest.slice(2)]))],
  ["another protocol", answered("404", (client) => client.request(withProtocol("websocket")))],
  [
    "a second session",
    async (client) => {
      await client.sendSettings();
      await openSession(client);
      return { answers: "429", exchange: await client.request(sessionRequest) };
    },
  ],
  [
    "a session, and in the same moment what ends the connection",
    async (client) => {
      await client.sendSettings();
      const header = encodeFrame(frameTypes.headers, encodeFieldSection(sessionRequest));
      const { writer } = await client.exchange(Uint8Array.from([...header, 0x01, 0x02, 0x00, 0x00]));
      void writer.close().catch(() => {});
      await client.send(0x00, 0x04, 0x00);
      return { closes: H3_STREAM_CREATION_ERROR };
    },
  ],
  [
    "HEADERS again in a session",
    inSession(async ({ writer }) => {
      await writer.write(encodeFrame(frameTypes.headers, encodeFieldSection(sessionRequest)));
      return { closes: H3_FRAME_UNEXPECTED };
    }),
  ],
  [
    "a frame that is cut by the end of its stream",
    inSession(async ({ writer }) => {
      await writer.write(Uint8Array.of(0x00, 0x05, 0x01));
      await writer.close();
      return { closes: H3_FRAME_ERROR };
    }),
  ],
  ...capsules.map(([name, bytes]): Http3Input => [
    `a capsule that lies: ${name}`,
    inSession(async ({ writer, reader }) => {
      await writer.write(encodeFrame(frameTypes.data, bytes));
      return { resets: H3_MESSAGE_ERROR, stream: reader };
    }),
  ]),
  [
    "a capsule that is cut by the end",
    inSession(async ({ writer, reader }) => {
      await writer.write(encodeFrame(frameTypes.data, encodeClose({ closeCode: 1, reason: "x" }).subarray(0, 5)));
      await writer.close();
      return { resets: H3_MESSAGE_ERROR, stream: reader };
    }),
  ],
  [
    "a stream of a session that is not there",
    async (client) => {
      await client.sendSettings();
      await openSession(client);
      return { stops: await client.send(0x40, 0x54, 0x34, 1) };
    },
  ],
  [
    "more streams before their session than are kept",
    async (client) => {
      await client.sendSettings();
      for (let i = 0; i < maxEarlyStreams; i += 1) await client.send(0x40, 0x54, 0x00, 1);
      return { stops: await client.send(0x40, 0x54, 0x00, 1) };
    },
  ],
  ["frames, streams and settings that nobody knows", ignored],
];

export async function openSession(client: RawHttp3Client): Promise<Exchange> {
  const exchange = await client.request(sessionRequest);
  const status = await statusOf(exchange);
  if (status !== "200") throw new Error(`No session, but ${status}`);
  return exchange;
}

function inSession(does: (exchange: Exchange) => Promise<Http3Outcome>): Http3Input[1] {
  return async (client) => {
    await client.sendSettings();
    return await does(await openSession(client));
  };
}

function answered(status: string, ask: (client: RawHttp3Client) => Promise<Exchange>): Http3Input[1] {
  return async (client) => {
    await client.sendSettings();
    return { answers: status, exchange: await ask(client) };
  };
}

async function ignored(client: RawHttp3Client): Promise<Http3Outcome> {
  const control = await client.send(0x00, 0x04, 0x04, 0x21, 0x05, 0x33, 0x01);
  await control.write(Uint8Array.of(0x21, 0x03, 1, 2, 3));
  await client.send(0x21, 1, 2, 3);
  await client.exchange(encodeFrame(0x21, new Uint8Array(50_000)));
  return "nothing";
}

/** Few bytes, each for an entry of the static table. */
function tinyButLarge(): Uint8Array {
  return encodeFrame(frameTypes.headers, new Uint8Array(1000).fill(0xd1, 2));
}

function withProtocol(protocol: string): Field[] {
  return sessionRequest.map(([name, value]) => [name, name === ":protocol" ? protocol : value]);
}
