import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { ChunkQueue } from "../../src/transports/websocket/qmux/chunk-queue.ts";
import { encodeFrame, readFrames } from "../../src/transports/websocket/qmux/frames.ts";
import type { ControlFrame, Frame } from "../../src/transports/websocket/qmux/frames.ts";
import { QmuxError, qmuxErrorCodes } from "../../src/transports/websocket/qmux/qmux-error.ts";
import { ReceiveWindow } from "../../src/transports/websocket/qmux/receive-window.ts";
import { RecordWriter } from "../../src/transports/websocket/qmux/record-writer.ts";
import { Silence } from "../../src/transports/websocket/qmux/silence.ts";
import { OwnStreamIds, PeerStreamIds } from "../../src/transports/websocket/qmux/stream-ids.ts";
import { defaultTransportParameters } from "../../src/transports/websocket/qmux/transport-parameters.ts";
import { readVectors } from "../vectors/read-vectors.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (array: Uint8Array) => Buffer.from(array).toString("hex");

/** The code that reading a record fails with, or undefined. */
function faultOf(record: Uint8Array): number | undefined {
  try {
    for (const frame of readFrames(record)) void frame;
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(QmuxError);
    return (error as QmuxError).wireCode;
  }
}

const number = fc.oneof(fc.nat(100), fc.maxSafeNat());
const anyControlFrame: fc.Arbitrary<ControlFrame> = fc.oneof(
  fc.record({ type: fc.constant("reset-stream" as const), id: number, code: number, finalSize: number }),
  fc.record({ type: fc.constant("stop-sending" as const), id: number, code: number }),
  fc.record({ type: fc.constant("max-data" as const), limit: number }),
  fc.record({ type: fc.constant("max-stream-data" as const), id: number, limit: number }),
  fc.record({ type: fc.constant("max-streams" as const), unidirectional: fc.boolean(), limit: number }),
  fc.record({ type: fc.constantFrom("ping" as const, "pong" as const), sequence: number }),
  fc.record({
    type: fc.constant("close" as const),
    application: fc.boolean(),
    code: number,
    reason: fc.string({ unit: "grapheme" }),
  }),
  fc.record({
    type: fc.constant("transport-parameters" as const),
    parameters: fc.record({
      maxIdleTimeoutMs: number,
      maxData: number,
      maxStreamDataBidiLocal: number,
      maxStreamDataBidiRemote: number,
      maxStreamDataUni: number,
      maxStreamsBidi: number,
      maxStreamsUni: number,
      maxRecordBytes: fc.nat().map((more) => defaultTransportParameters.maxRecordBytes + more),
    }),
  }),
);
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  anyControlFrame,
  fc.record({
    type: fc.constant("stream" as const),
    id: number,
    offset: number,
    data: fc.uint8Array({ maxLength: 200 }),
    fin: fc.boolean(),
  }),
);

function write(record: RecordWriter, frame: Frame): void {
  if (frame.type === "stream") record.addStream(frame.id, frame.offset, [frame.data], frame.fin);
  else expect(record.add(encodeFrame(frame))).toBe(true);
}

describe("frames", () => {
  interface Vector {
    note: string;
    hex: string;
    frame: ControlFrame | { type: "stream"; id: number; offset: number; data: string; fin: boolean };
  }
  test.each(readVectors<Vector>("qmux"))("$note: $hex", ({ hex: encoded, frame }) => {
    const parsed = frame.type === "stream" ? { ...frame, data: bytes(frame.data) } : frame;
    expect([...readFrames(bytes(encoded))]).toEqual([parsed]);
    const record = new RecordWriter(65_536);
    write(record, parsed);
    expect(hex(record.content)).toBe(encoded);
  });

  test("come out of a record as they went in, one behind the other", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 20 }), (frames) => {
        const record = new RecordWriter(65_536);
        for (const frame of frames) write(record, frame);
        expect([...readFrames(record.content.slice())]).toEqual(frames);
      }),
    );
  });

  test("cut anywhere are an error, unless the cut is between two", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 4 }), fc.nat(), (frames, at) => {
        const ends: number[] = [];
        const record = new RecordWriter(65_536);
        for (const frame of frames) {
          write(record, frame);
          ends.push(record.content.length);
        }
        const cut = 1 + (at % record.content.length);
        const fault = faultOf(record.content.slice(0, cut));
        expect(fault).toBe(ends.includes(cut) ? undefined : qmuxErrorCodes.FRAME_ENCODING_ERROR);
      }),
    );
  });

  test("of any bytes are read, or are an error of QMux", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (record) => void faultOf(record)),
      { numRuns: 2000 },
    );
    const types = [0x04, 0x05, 0x08, 0x0f, 0x10, 0x11, 0x12, 0x17, 0x1c, 0x1d];
    const heads = [...types.map((type) => [type]), [...bytes("ff5153300d0a0d0a")], [...bytes("f48c67529ef8c7bd")]];
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 60 }), (head, rest) => {
        faultOf(Uint8Array.from([...head, ...rest]));
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    { what: "no frame", record: "", code: "PROTOCOL_VIOLATION" },
    { what: "a length of 2^62 - 1", record: "0a02ffffffffffffffff", code: "FRAME_ENCODING_ERROR" },
    { what: "a reason that is longer than the record", record: "1d00ffffffffffffffff61", code: "FRAME_ENCODING_ERROR" },
    { what: "a frame of QUIC that QMux does not have: PING", record: "01", code: "FRAME_ENCODING_ERROR" },
    { what: "ACK", record: "0200000000", code: "FRAME_ENCODING_ERROR" },
    { what: "CRYPTO", record: "06000161", code: "FRAME_ENCODING_ERROR" },
    { what: "a datagram, which was not offered", record: "3061", code: "FRAME_ENCODING_ERROR" },
    { what: "RESET_STREAM_AT, which was not offered", record: "240200000000", code: "FRAME_ENCODING_ERROR" },
    { what: "a frame of nobody", record: "ffffffffffffffff", code: "FRAME_ENCODING_ERROR" },
  ] as const)("are not $what", ({ record, code }) => {
    expect(faultOf(bytes(record))).toBe(qmuxErrorCodes[code]);
  });

  test("that say nothing new are passed over", () => {
    expect([...readFrames(bytes("00 00 1405 150205 1605 1707 00 1005"))]).toEqual([{ type: "max-data", limit: 5 }]);
  });

  test("without a length go to the end of the record, without an offset begin at 0", () => {
    expect([...readFrames(bytes("080261 0a0200"))]).toEqual([
      { type: "stream", id: 2, offset: 0, data: bytes("610a0200"), fin: false },
    ]);
  });

  test("with numbers that are larger than any limit", () => {
    expect([...readFrames(bytes("10ffffffffffffffff"))]).toEqual([{ type: "max-data", limit: Infinity }]);
  });
});

describe("transport parameters", () => {
  /** A frame with these parameters. */
  const frame = (parameters: string) => {
    const length = bytes(parameters).length;
    return bytes(`ff5153300d0a0d0a ${(0x4000 | length).toString(16)} ${parameters}`);
  };

  test("have defaults, and others are passed over, even twice", () => {
    expect([...readFrames(frame("04 01 05  40ff 00  40ff 03616263"))]).toEqual([
      { type: "transport-parameters", parameters: { ...defaultTransportParameters, maxData: 5 } },
    ]);
  });

  test.each([
    { what: "one twice", parameters: "040105 040106" },
    { what: "one that QMux does not have", parameters: "0f00" },
    { what: "a value that is longer than its number", parameters: "04020500" },
    { what: "a record size below 16382", parameters: "c571c59429cd0845 02 7ffd" },
  ])("are not $what", ({ parameters }) => {
    expect(faultOf(frame(parameters))).toBe(qmuxErrorCodes.TRANSPORT_PARAMETER_ERROR);
  });

  test.each(["0405", "04", "0400", "04ffffffffffffffff"])("do not end within one: %s", (parameters) => {
    expect(faultOf(frame(parameters))).toBe(qmuxErrorCodes.FRAME_ENCODING_ERROR);
  });
});

describe("a record", () => {
  test("takes what fits: as much of a stream as it says it has room for, and no byte more than the other end takes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 16_382, max: 70_000 }),
        fc.nat(16_000),
        number,
        number,
        (limit, used, id, offset) => {
          const record = new RecordWriter(limit);
          record.addStream(1, 0, [new Uint8Array(used)], false);
          const room = record.roomForStream(id, offset);
          if (room >= 0) record.addStream(id, offset, [new Uint8Array(room)], true);
          expect(record.content.length).toBeLessThanOrEqual(Math.min(limit, 65_536));
          expect(record.content.length).toBeGreaterThan(Math.min(limit, 65_536) - 25);
          expect(faultOf(record.content)).toBeUndefined();
        },
      ),
    );
  });

  test("refuses a frame that does not fit", () => {
    const record = new RecordWriter(16_382);
    expect(record.add(new Uint8Array(16_380))).toBe(true);
    expect(record.add(new Uint8Array(3))).toBe(false);
    expect(record.add(new Uint8Array(2))).toBe(true);
  });
});

describe("a queue of chunks", () => {
  test("gives back the bytes in order", () => {
    const chunk = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 900, maxLength: 5000 }));
    fc.assert(
      fc.property(fc.array(fc.oneof(chunk, fc.constant(undefined)), { maxLength: 60 }), (steps) => {
        const queue = new ChunkQueue();
        const wanted: number[] = [];
        const got: number[] = [];
        for (const step of [...steps, ...steps.map(() => undefined)]) {
          if (step === undefined) got.push(...(queue.shift() ?? []));
          else if (step.length > 0) {
            queue.push(step);
            wanted.push(...step);
          }
          expect(queue.bytes).toBe(wanted.length - got.length);
        }
        expect(got).toEqual(wanted);
        expect(queue.shift()).toBeUndefined();
      }),
    );
  });

  test("holds about as much memory as it has bytes, however they come", () => {
    const record = new Uint8Array(65_536);
    for (const size of [1, 2, 100, 1024, 1025, 3000, 30_000, 40_000, 65_536]) {
      const queue = new ChunkQueue();
      for (let at = 0; at + size <= record.length; at += size) queue.push(record.subarray(at, at + size));
      const total = queue.bytes;
      const buffers = new Set<ArrayBufferLike>();
      let chunks = 0;
      for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
        buffers.add(chunk.buffer);
        chunks += 1;
      }
      let held = 0;
      for (const buffer of buffers) held += buffer.byteLength;
      expect(held).toBeLessThanOrEqual(2 * total);
      expect(chunks).toBeLessThanOrEqual(Math.ceil(total / 1024));
    }
  });

  test("can be emptied", () => {
    const queue = new ChunkQueue();
    for (const size of [5, 5000, 7]) queue.push(new Uint8Array(size));
    expect(queue.clear()).toBe(5012);
    expect(queue.bytes).toBe(0);
    expect(queue.shift()).toBeUndefined();
  });
});

describe("a window", () => {
  test("lets in what was allowed and no more, and moves on with what is read", () => {
    const window = new ReceiveWindow(100, 0);
    expect(window.receive(100)).toBe(true);
    expect(window.receive(1)).toBe(false);
    window.consume(49);
    expect(window.update(1000, 0)).toBeUndefined();
    window.consume(1);
    expect(window.update(1000, 0)).toBe(150);
    expect(window.receive(50)).toBe(true);
    expect(window.receive(1)).toBe(false);
  });

  test("grows when it is read fast, and only then, and no further than it may", () => {
    const window = new ReceiveWindow(100, 0);
    const read = (nowMs: number, maxGrowth: number) => {
      window.receive(window.windowBytes / 2);
      window.consume(window.windowBytes / 2);
      window.update(nowMs, maxGrowth);
      return window.windowBytes;
    };
    expect(read(10, 1000)).toBe(200);
    expect(read(250, 1000)).toBe(200);
    expect(read(260, 1000)).toBe(400);
    expect(read(270, 30)).toBe(430);
    expect(read(280, 0)).toBe(430);
  });
});

describe("ids of streams", () => {
  test("of the other end: each is new once, those that were passed over as well, and there are limits", () => {
    const ids = new PeerStreamIds(16);
    expect(ids.see(2)).toBe(true);
    expect(ids.see(2)).toBe(false);
    expect(ids.see(0)).toBe(true);
    expect(ids.see(0)).toBe(false);
    expect(ids.see(15)).toBe(true);
    expect(ids.see(1)).toBe(true);
    for (const index of [16, 17, 2 ** 40, Infinity]) expect(() => ids.see(index)).toThrow(QmuxError);
    ids.finish();
    expect(ids.update()).toBeUndefined();
    expect(() => ids.see(16)).toThrow(QmuxError); // it was not told yet
    ids.finish();
    expect(ids.update()).toBe(18);
    expect(ids.see(17)).toBe(true);
  });

  test("of this end: as many as the other end allows", () => {
    const ids = new OwnStreamIds(3);
    expect(ids.take()).toBeUndefined();
    expect(ids.allow(2)).toBe(true);
    expect([ids.take(), ids.take(), ids.take()]).toEqual([3, 7, undefined]);
    expect(ids.allow(1)).toBe(false);
    expect([ids.has(1), ids.has(2)]).toEqual([true, false]);
  });
});

describe("silence", () => {
  test("is noticed after the idle timeout, and asked about before", () => {
    const silence = new Silence({ idleTimeoutMs: 15_000, keepAliveIntervalMs: 5000 });
    expect(silence.tickMs).toBe(2500);
    expect(silence.tick(true)).toBeUndefined();
    const todo = Array.from({ length: 6 }, () => silence.tick(false));
    expect(todo).toEqual([undefined, "ask", undefined, "ask", undefined, "lost"]);
  });

  test("is none while something is heard", () => {
    const silence = new Silence({ idleTimeoutMs: 1000, keepAliveIntervalMs: 5000 });
    for (let tick = 0; tick < 100; tick += 1) expect(silence.tick(tick % 3 === 0)).not.toBe("lost");
  });

  test("is asked about at least once before it is taken for a loss", () => {
    for (const idleTimeoutMs of [1, 2, 10, 1000, 7000, 2 ** 31 - 1]) {
      const silence = new Silence({ idleTimeoutMs, keepAliveIntervalMs: 5000 });
      const todo: unknown[] = [];
      while (todo.at(-1) !== "lost" && todo.length < 1_000_000) todo.push(silence.tick(false));
      expect(todo).toContain("ask");
      expect(todo.at(-1)).toBe("lost");
      expect(todo.length * silence.tickMs).toBeGreaterThanOrEqual(idleTimeoutMs);
    }
  });
});
