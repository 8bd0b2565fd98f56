/** Whatever reads bytes or JSON of others: any of these gives a result or the one error that it may give. */
import * as fc from "fast-check";
import { expect } from "vitest";
import { decodeControlMessage, encodeControlMessage } from "../../src/core/control-messages.ts";
import { parseDataHeader } from "../../src/core/data-header.ts";
import { ConecError, quoted, reasonText } from "../../src/core/errors.ts";
import { countMembers, jsonShape } from "../../src/core/json-shape.ts";
import { maxMetadataBytes, metadataFault, nameFault } from "../../src/core/metadata.ts";
import { sourceOf } from "../../src/core/source-of.ts";
import { FrameDecoder, headerLength, writeHeader } from "../../src/streams/framing.ts";
import { ControlStreamRules } from "../../src/transports/quic/http3/control-stream.ts";
import { Http3Error } from "../../src/transports/quic/http3/error-codes.ts";
import { requestFrameHandling } from "../../src/transports/quic/http3/frames.ts";
import { decodeHuffman } from "../../src/transports/quic/http3/huffman.ts";
import { QpackDecoderInstructions, QpackEncoderInstructions } from "../../src/transports/quic/http3/qpack-streams.ts";
import { decodeFieldSection } from "../../src/transports/quic/http3/qpack.ts";
import { parseRequest } from "../../src/transports/quic/http3/request.ts";
import { decodeSettings } from "../../src/transports/quic/http3/settings.ts";
import { TlvParser } from "../../src/transports/quic/http3/tlv-parser.ts";
import { capsuleHandling, capsuleTypes, decodeClose } from "../../src/transports/quic/webtransport/capsules.ts";
import { anyControlMessage } from "../core/any-control-message.ts";
import { fuzz } from "./fuzz.ts";
import { almostJson } from "./almost-json.ts";

const utf8 = new TextEncoder();
const anyBytes = fc.uint8Array({ maxLength: 300 });
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });

/** Bytes that are likely to be something: headers of all sizes, markers, messages. */
const frames = fc
  .array(
    fc.oneof(
      anyBytes,
      fc.nat({ max: 70_000 }).map((length) => header(length)),
      fc.uint8Array({ maxLength: 60 }).map((body) => Uint8Array.from([...header(body.length), ...body])),
      fc.constantFrom(Uint8Array.of(0), new Uint8Array(8).fill(0xff), Uint8Array.of(0xc0, 0, 0, 0, 0, 0, 0, 2, 9)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

fuzz(
  "framing",
  "any bytes, in any pieces, come out the same",
  fc.property(frames, cuts, fc.integer({ min: 1, max: 100_000 }), (bytes, cuts, maxMessageBytes) => {
    const whole = decodeFrames([bytes], maxMessageBytes);
    expect(decodeFrames(inPieces(bytes, cuts), maxMessageBytes)).toEqual(whole);
  }),
);

fuzz(
  "framing",
  "the header of a data stream",
  fc.property(anyBytes, (bytes) => {
    const parsed = orError(() => parseDataHeader(bytes), "protocol-error");
    if (parsed !== undefined) expect(parsed.rest.length).toBeLessThanOrEqual(bytes.length - 2);
  }),
);

fuzz(
  "control messages",
  "any bytes, and what is almost JSON",
  fc.property(
    fc.oneof(
      anyBytes,
      almostJson.map((json) => utf8.encode(json)),
    ),
    (bytes) => {
      const message = orError(() => decodeControlMessage(bytes), "protocol-error");
      if (message === undefined) return;
      // What is let in is passed on as it is. (JSON knows -0, but is not written with it.)
      const again = encodeControlMessage(message);
      expect(decodeControlMessage(again)).toEqual(JSON.parse(JSON.stringify(message)));
      expect(encodeControlMessage(decodeControlMessage(again))).toEqual(again);
    },
  ),
);

fuzz(
  "control messages",
  "a message with something in it changed",
  fc.property(anyControlMessage(), fc.nat(), fc.jsonValue({ maxDepth: 3 }), (message, which, value) => {
    const keys = Object.keys(message);
    const json = JSON.stringify({ ...message, [keys[which % keys.length]!]: value });
    orError(() => decodeControlMessage(utf8.encode(json)), "protocol-error");
  }),
);

fuzz(
  "metadata",
  "what is let in is small, shallow, and the same at the other end",
  fc.property(fc.jsonValue({ maxDepth: 10, stringUnit: "binary" }), (value) => {
    if (metadataFault(value) !== undefined) return;
    const json = JSON.stringify(value);
    expect(utf8.encode(json).length).toBeLessThanOrEqual(maxMetadataBytes);
    expect(jsonShape(utf8.encode(json)).members).toBe(countMembers(value));
    expect(metadataFault(JSON.parse(json))).toBeUndefined();
  }),
);

fuzz(
  "metadata",
  "names and texts that are shown",
  fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    const shown = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\p{Co}\p{Cn}\p{Cf}]*$/u;
    if (nameFault(text) === undefined) expect(text).toMatch(shown);
    expect(quoted(text)).toMatch(/^"[\p{L}\p{M}\p{N}\p{P}\p{S} ]*"$/u);
    expect(utf8.encode(reasonText(text)).length).toBeLessThanOrEqual(1024);
    expect(sourceOf(text).length).toBeLessThan(330);
  }),
);

fuzz(
  "HTTP/3",
  "codecs, with any bytes",
  fc.property(anyBytes, cuts, (bytes, cuts) => {
    orHttp3Error(() => decodeHuffman(bytes));
    orHttp3Error(() => decodeFieldSection(bytes));
    const fields = orHttp3Error(() => decodeFieldSection(Uint8Array.of(0, 0, ...bytes)));
    if (fields !== undefined) orHttp3Error(() => parseRequest(fields));
    orHttp3Error(() => decodeSettings(bytes));
    const rules = new ControlStreamRules();
    const control = new TlvParser((type, length) => rules.handlingOf(type, length));
    const request = new TlvParser((type, length) => requestFrameHandling(type, length, false));
    const capsules = new TlvParser(capsuleHandling);
    const [encoder, decoder] = [new QpackEncoderInstructions(), new QpackDecoderInstructions()];
    orHttp3Error(() => {
      for (const piece of inPieces(bytes, cuts)) {
        for (const { type, payload } of control.push(piece)) rules.frame(type, payload);
      }
    });
    orHttp3Error(() => inPieces(bytes, cuts).forEach((piece) => void [...request.push(piece)]));
    orHttp3Error(() => inPieces(bytes, cuts).forEach((piece) => encoder.push(piece)));
    orHttp3Error(() => inPieces(bytes, cuts).forEach((piece) => decoder.push(piece)));
    orHttp3Error(() => {
      for (const piece of inPieces(bytes, cuts)) {
        for (const { type, payload } of capsules.push(piece)) {
          if (type === capsuleTypes.closeSession) expect(decodeClose(payload).reason.length).toBeLessThanOrEqual(1024);
        }
      }
    });
  }),
);

function header(messageBytes: number): Uint8Array {
  const bytes = new Uint8Array(headerLength(messageBytes));
  writeHeader(bytes, 0, messageBytes);
  return bytes;
}

function inPieces(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  const pieces = [];
  for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
    pieces.push(bytes.slice(at, (at += cuts[cut % cuts.length]!)));
  }
  return pieces;
}

function decodeFrames(chunks: Uint8Array[], maxMessageBytes: number) {
  const decoder = new FrameDecoder(maxMessageBytes);
  const messages: Uint8Array[] = [];
  let code: string | undefined;
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  try {
    for (const chunk of chunks) {
      decoder.decode(chunk, messages);
      expect(decoder.heldBytes).toBeLessThanOrEqual(8 * length);
    }
    decoder.finish();
  } catch (error) {
    if (!(error instanceof ConecError)) throw error;
    code = error.code;
  }
  expect(messages.every((message) => message.length <= maxMessageBytes)).toBe(true);
  return { messages: messages.map((message) => Buffer.from(message).toString("hex")), state: decoder.state, code };
}

/** The result, or undefined for an error of this code; any other is thrown. */
function orError<T>(call: () => T, code: string): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof ConecError && error.code === code) return undefined;
    throw error;
  }
}

function orHttp3Error<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof Http3Error) return undefined;
    throw error;
  }
}
