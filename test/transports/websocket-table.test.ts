/** The streams and credit of both ends, linked without a socket: any order of calls and records, any frames of a stranger. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { ConecError } from "../../src/core/errors.ts";
import type { ByteReader, ByteWriter } from "../../src/core/transport.ts";
import { readFrames } from "../../src/transports/websocket/qmux/frames.ts";
import { QmuxError, qmuxErrorCodes } from "../../src/transports/websocket/qmux/qmux-error.ts";
import { streamWindowBytes } from "../../src/transports/websocket/qmux/receive-credit.ts";
import type { ReceiveStream } from "../../src/transports/websocket/qmux/receive-stream.ts";
import { RecordWriter } from "../../src/transports/websocket/qmux/record-writer.ts";
import type { SendStream } from "../../src/transports/websocket/qmux/send-stream.ts";
import { StreamTable } from "../../src/transports/websocket/qmux/stream-table.ts";
import type { TableFrame } from "../../src/transports/websocket/qmux/stream-table.ts";
import type { ConnectionLimits } from "../../src/transports/websocket/connection-limits.ts";

interface Incoming {
  receive: ReceiveStream;
  send: SendStream | undefined;
}

/** One end: a table, what came to it, and the time, which stands still unless it is moved. */
class End {
  readonly table: StreamTable;
  readonly incoming: Incoming[] = [];
  nowMs = 0;
  /** Whether it has asked for a record and got none yet that was empty: as a session does, which sleeps otherwise. */
  #wantsRecord = false;

  constructor(isServer: boolean, limits: ConnectionLimits) {
    this.table = new StreamTable(isServer, limits, {
      nowMs: () => this.nowMs,
      sendSoon: () => void (this.#wantsRecord = true),
      onStream: (receive, send) => void this.incoming.push({ receive, send }),
    });
  }

  /** Allows the other end what it is allowed by default, with these limits. */
  begin({ maxIncomingStreams, maxUnreadBytes }: ConnectionLimits): void {
    this.table.begin({
      maxIdleTimeoutMs: 0,
      maxData: maxUnreadBytes,
      maxStreamDataBidiLocal: streamWindowBytes.initial,
      maxStreamDataBidiRemote: streamWindowBytes.initial,
      maxStreamDataUni: streamWindowBytes.initial,
      maxStreamsBidi: maxIncomingStreams,
      maxStreamsUni: maxIncomingStreams,
      maxRecordBytes: 16_382,
    });
  }

  /** The next record, or undefined if there is nothing to say. */
  record(): Uint8Array | undefined {
    if (!this.#wantsRecord) return undefined;
    const record = new RecordWriter(16_382);
    this.table.fillRecord(record);
    this.#wantsRecord = !record.isEmpty;
    return record.isEmpty ? undefined : record.content.slice();
  }

  receive(record: Uint8Array): void {
    for (const frame of readFrames(record)) this.table.receive(frame as TableFrame);
  }
}

function linked(limits: ConnectionLimits): { client: End; server: End; exchange: () => boolean } {
  const client = new End(false, limits);
  const server = new End(true, limits);
  client.begin(limits);
  server.begin(limits);
  /** One record each way. False when neither had anything to say. */
  const exchange = (): boolean => {
    const up = client.record();
    if (up !== undefined) server.receive(up);
    const down = server.record();
    if (down !== undefined) client.receive(down);
    return up !== undefined || down !== undefined;
  };
  return { client, server, exchange };
}

/** Lets everything happen that follows from what has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const defaults: ConnectionLimits = { maxIncomingStreams: 100, maxUnreadBytes: 8 * 1024 * 1024 };

/** One direction of a stream: what its writer did, and what its reader met. */
class Flow {
  readonly seed: number;
  readonly writer: ByteWriter;
  /** Absent until the other end has met the stream. */
  reader: ByteReader | undefined;
  written = 0;
  read = 0;
  /** What this end did last, the first of these. */
  ended: { how: "closed" | "aborted" | "cancelled"; code: number } | undefined;
  met: { how: string; code: number | undefined } | undefined;
  #isReading = false;

  constructor(seed: number, writer: ByteWriter, reader?: ByteReader) {
    this.seed = seed;
    this.writer = writer;
    this.reader = reader;
  }

  /** Bytes whose value follows from their place. */
  write(size: number): void {
    if (this.ended !== undefined) return;
    const bytes = Uint8Array.from({ length: size }, (_, at) => this.seed + (this.written + at) * 31);
    this.written += size;
    this.writer.write(bytes).catch(() => {});
  }

  close(): void {
    if (this.ended !== undefined) return;
    this.ended = { how: "closed", code: 0 };
    this.writer.close().catch(() => {});
  }

  abort(streamErrorCode: number): void {
    if (this.ended !== undefined) return;
    this.ended = { how: "aborted", code: streamErrorCode };
    void this.writer.abort({ streamErrorCode });
  }

  cancel(streamErrorCode: number): void {
    if (this.reader === undefined || this.met !== undefined || this.#isReading) return;
    this.met = { how: "cancelled here", code: undefined };
    this.ended ??= { how: "cancelled", code: streamErrorCode };
    void this.reader.cancel({ streamErrorCode });
  }

  async readOn(): Promise<void> {
    if (this.reader === undefined || this.#isReading || this.met !== undefined) return;
    this.#isReading = true;
    try {
      const { value, done } = await this.reader.read();
      if (done) this.met = { how: "done", code: undefined };
      for (const byte of value ?? []) {
        if (byte !== ((this.seed + this.read * 31) & 0xff)) this.met = { how: "a wrong byte", code: undefined };
        this.read += 1;
      }
    } catch (error) {
      const { code, streamErrorCode } = error as ConecError;
      this.met = { how: code, code: streamErrorCode };
    }
    this.#isReading = false;
  }

  async check(): Promise<void> {
    const { how, code } = this.ended!;
    if (this.met?.how === "cancelled here" && how !== "cancelled") return; // too late, or in time: as it came
    if (how === "closed") {
      expect(this.met).toEqual({ how: "done", code: undefined });
      expect(this.read).toBe(this.written);
    } else if (how === "cancelled") {
      await expect(this.writer.closed).rejects.toMatchObject({ code: "cancelled", streamErrorCode: code });
    } else if (this.met !== undefined) {
      expect(this.met.how).toBe("aborted");
      expect([code, undefined]).toContain(this.met.code); // none, where the stream was never opened
      expect(this.read).toBeLessThanOrEqual(this.written);
    }
  }
}

describe("two linked ends", () => {
  type Step =
    | { do: "open"; kind: "uni" | "bidi"; by: "client" | "server" }
    | { do: "write"; which: number; size: number }
    | { do: "close" | "abort" | "cancel" | "read"; which: number; code: number }
    | { do: "exchange" };
  const which = fc.nat(30);
  const code = fc.nat(0xffff_ffff);
  const kind = fc.constantFrom("uni" as const, "bidi" as const);
  const by = fc.constantFrom("client" as const, "server" as const);
  const size = fc.oneof(fc.nat(10), fc.nat(5000), fc.nat(300_000));
  const anyStep: fc.Arbitrary<Step> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant("open" as const), kind, by }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), which, size }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("read" as const), which, code }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("close", "abort", "cancel"), which, code }) },
    { weight: 6, arbitrary: fc.constant({ do: "exchange" as const }) },
  );
  const anyLimits = fc.record({
    maxIncomingStreams: fc.constantFrom(1, 3, 100),
    maxUnreadBytes: fc.constantFrom(20_000, 150_000, 8 * 1024 * 1024),
  });

  test("carry every byte in order, and say how a stream has ended, in any order of calls", async () => {
    const property = fc.asyncProperty(anyLimits, fc.array(anyStep, { maxLength: 80 }), async (limits, steps) => {
      const { client, server, exchange } = linked(limits);
      const flows: Flow[] = [];
      /** What this end has opened: `backwards` is its reader of a bidirectional stream. */
      const opened: { send: SendStream; flow: Flow; backwards: ByteReader | undefined }[] = [];
      const add = (writer: ByteWriter, reader?: ByteReader): Flow => {
        const flow = new Flow(flows.length, writer, reader);
        flows.push(flow);
        return flow;
      };
      const open = ({ table }: End, kind: "uni" | "bidi"): void => {
        const { receive, send }: { receive?: ReceiveStream; send: SendStream } =
          kind === "bidi" ? table.openBidirectional() : { send: table.openUnidirectional() };
        opened.push({ send, flow: add(send.lockWriter()), backwards: receive?.lockReader() });
      };
      /** Records go each way, and what they opened gets its readers and writers. */
      const move = async (): Promise<boolean> => {
        const moved = exchange();
        for (const { receive, send } of [...client.incoming.splice(0), ...server.incoming.splice(0)]) {
          const { flow, backwards } = opened.find((each) => each.send.id === receive.id)!;
          flow.reader = receive.lockReader();
          if (send !== undefined) add(send.lockWriter(), backwards);
        }
        await settled();
        return moved;
      };

      for (const step of steps) {
        if (step.do === "open") open({ client, server }[step.by], step.kind);
        else if (step.do === "exchange") await move();
        else {
          const flow = flows[step.which % flows.length];
          if (step.do === "write") flow?.write(step.size);
          else if (step.do === "read") void flow?.readOn();
          else flow?.[step.do](step.code);
        }
      }
      // Everybody reads on, and what is open is closed, until nothing moves any more.
      for (let before = "", after = "start"; before !== after;) {
        for (const flow of flows) flow.close();
        while (await move());
        await Promise.race([Promise.all(flows.map((flow) => flow.readOn())), settled()]);
        before = after;
        after = flows.map(({ read, met }) => `${read} ${met?.how}`).join();
      }
      for (const flow of flows) await flow.check();
    });
    await fc.assert(property, { numRuns: 400 });
  }, 60_000);
});

test.each([1500, 5000])("a close waits until the other end takes all of %i bytes", async (size) => {
  const { client, server, exchange } = linked({ maxIncomingStreams: 1, maxUnreadBytes: 1000 });
  const states: string[] = [];
  const note = (what: string) => () => void states.push(what);
  const writer = client.table.openUnidirectional().lockWriter();
  void writer.write(new Uint8Array(size)); // the smaller one is copied
  void writer.close().then(note("closed"));
  void client.table.openUnidirectional().lockWriter().close().then(note("second closed")); // no stream is left for it
  while (exchange());
  await settled();
  const reader = server.incoming[0]!.receive.lockReader();
  let length = 0;
  for (let result = await reader.read(); !result.done; result = await reader.read()) {
    expect(states).toEqual(length > size - 1000 ? ["closed"] : []);
    length += result.value.length;
    while (exchange());
    await settled();
  }
  expect(length).toBe(size);
  while (exchange());
  await settled();
  expect(states).toEqual(["closed", "second closed"]);
});

describe("a stranger", () => {
  const number = fc.oneof(fc.nat(40), fc.maxSafeNat(), fc.constant(Infinity));
  const anyFrame: fc.Arbitrary<TableFrame> = fc.oneof(
    fc.record({ type: fc.constant("stream" as const), id: fc.nat(40), offset: fc.oneof(fc.constant(0), number), data: fc.uint8Array({ maxLength: 50 }), fin: fc.boolean() }), // prettier-ignore
    fc.record({ type: fc.constant("reset-stream" as const), id: number, code: number, finalSize: number }),
    fc.record({ type: fc.constant("stop-sending" as const), id: number, code: number }),
    fc.record({ type: fc.constant("max-stream-data" as const), id: number, limit: number }),
    fc.record({ type: fc.constant("max-data" as const), limit: number }),
    fc.record({ type: fc.constant("max-streams" as const), unidirectional: fc.boolean(), limit: number }),
  );

  test("who sends any frames gets an error of QMux, or is taken at its word", async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(anyFrame, { maxLength: 60 }), async (isServer, frames) => {
        const end = new End(isServer, defaults);
        end.begin(defaults);
        const mine = [end.table.openUnidirectional(), end.table.openBidirectional().send];
        for (const { lockWriter } of mine.map((send) => ({ lockWriter: () => send.lockWriter() }))) {
          lockWriter().write(new Uint8Array(100)).catch(() => {}); // prettier-ignore
        }
        try {
          for (const frame of frames) {
            end.table.receive(frame);
            while (end.record() !== undefined);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(QmuxError);
        }
        for (const { receive, send } of end.incoming) {
          receive.lockReader().cancel().catch(() => {}); // prettier-ignore
          send?.lockWriter().abort().catch(() => {}); // prettier-ignore
        }
        while (end.record() !== undefined);
        end.table.fail(new ConecError("closed", "over"));
        await settled();
      }),
      { numRuns: 500 },
    );
  });

  /** What a frame of the client is for a server: the code it fails with. */
  function faultOf(frames: TableFrame[], limits = defaults): number | undefined {
    const end = new End(true, limits);
    end.begin(limits);
    try {
      for (const frame of frames) end.table.receive(frame);
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(QmuxError);
      return (error as QmuxError).wireCode;
    }
  }
  const stream = (id: number, offset: number, length: number, fin = false): TableFrame => {
    return { type: "stream", id, offset, data: new Uint8Array(length), fin };
  };
  const { initial } = streamWindowBytes;

  test.each([
    { what: "more than a stream's window", frames: [stream(2, 0, initial + 1)], code: "FLOW_CONTROL_ERROR" },
    {
      what: "more than the connection's window",
      frames: Array.from({ length: 65 }, (_, index) => stream(2 + 4 * index, 0, initial)),
      code: "FLOW_CONTROL_ERROR",
    },
    { what: "a reset that claims more than the window", frames: [{ type: "reset-stream", id: 2, code: 0, finalSize: Infinity }], code: "FLOW_CONTROL_ERROR" }, // prettier-ignore
    { what: "one stream too many", frames: [stream(2 + 4 * 100, 0, 1)], code: "STREAM_LIMIT_ERROR" },
    { what: "an id that is no number", frames: [stream(Infinity, 0, 1)], code: "STREAM_LIMIT_ERROR" },
    { what: "bytes out of order", frames: [stream(2, 0, 5), stream(2, 6, 1)], code: "PROTOCOL_VIOLATION" },
    { what: "bytes again", frames: [stream(2, 0, 5), stream(2, 0, 5)], code: "PROTOCOL_VIOLATION" },
    { what: "bytes behind the end", frames: [stream(2, 0, 5, true), stream(2, 5, 1)], code: "FINAL_SIZE_ERROR" },
    { what: "bytes on a stream that is only ours to write", frames: [stream(3, 0, 1)], code: "STREAM_STATE_ERROR" },
    { what: "bytes on a stream of ours that is not open", frames: [stream(1, 0, 1)], code: "STREAM_STATE_ERROR" },
    { what: "a stop for a stream of ours that is not open", frames: [{ type: "stop-sending", id: 3, code: 0 }], code: "STREAM_STATE_ERROR" }, // prettier-ignore
    { what: "a stop for a stream that is only theirs to write", frames: [{ type: "stop-sending", id: 2, code: 0 }], code: "STREAM_STATE_ERROR" }, // prettier-ignore
    { what: "credit for a stream that is only theirs to write", frames: [{ type: "max-stream-data", id: 2, limit: 9 }], code: "STREAM_STATE_ERROR" }, // prettier-ignore
  ] as const)("may not send $what", ({ frames, code }) => {
    expect(faultOf([...frames] as TableFrame[])).toBe(qmuxErrorCodes[code]);
  });

  test("may say things about a stream that is over, except its bytes", async () => {
    const end = new End(true, defaults);
    end.begin(defaults);
    end.table.receive(stream(0, 0, 3, true));
    const [{ receive, send }] = end.incoming as [Incoming];
    const reader = receive.lockReader();
    expect((await reader.read()).value?.length).toBe(3);
    expect((await reader.read()).done).toBe(true);
    void send!.lockWriter().close();
    while (end.record() !== undefined);
    end.table.receive({ type: "max-stream-data", id: 0, limit: 1_000_000 });
    end.table.receive({ type: "stop-sending", id: 0, code: 1 });
    end.table.receive({ type: "reset-stream", id: 0, code: 1, finalSize: 3 });
    expect(() => end.table.receive(stream(0, 3, 1))).toThrow(QmuxError);
  });

  test("who never reads does not make this end keep what it would say: streams opened and stopped without end", () => {
    const end = new End(true, { ...defaults, maxIncomingStreams: 50 });
    end.begin(defaults);
    let opened = 0;
    expect(() => {
      for (;;) {
        // Each calls for an answer, and for more credit; none is ever taken.
        end.table.receive({ type: "stop-sending", id: 4 * opened, code: 1 });
        end.table.receive({ type: "reset-stream", id: 4 * opened, code: 1, finalSize: 0 });
        opened += 1;
      }
    }).toThrow(expect.objectContaining({ wireCode: qmuxErrorCodes.STREAM_LIMIT_ERROR }));
    expect(opened).toBe(50);
  });
});
