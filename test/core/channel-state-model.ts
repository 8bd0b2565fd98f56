/** Properties of ChannelState as a whole: two honest ends in any order of events, and one end against any messages at all. */
import * as fc from "fast-check";
import { expect } from "vitest";
import { ChannelState } from "../../src/core/channel-state.ts";
import type { Action } from "../../src/core/channel-state.ts";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { anyControlMessage } from "./any-control-message.ts";

const streamLimit = 3;

/** One end, what it has sent and the other has not read, and what its program knows. */
class End {
  readonly state: ChannelState;
  readonly end: 0 | 1;
  /** Messages on their way to the other end. */
  readonly sent: ControlMessage[] = [];
  /** How each stream that this end opened has ended. */
  readonly written = new Map<number, "open" | "confirmed" | "failed" | "aborted">();
  /** Streams of the peer, as this end's program sees them. */
  readonly reading = new Map<
    number,
    { over: false | "received" | "cancelled" | "failed"; taken: boolean; drained: boolean; attached: boolean }
  >();

  constructor(end: 0 | 1) {
    this.end = end;
    this.state = new ChannelState({ end, maxStreams: [streamLimit, streamLimit], streamLimit });
  }

  apply(actions: Action[]): void {
    for (const action of actions) {
      switch (action.do) {
        case "send":
          this.sent.push(action.message);
          break;
        case "surface":
          expect(this.reading.has(action.stream)).toBe(false);
          this.reading.set(action.stream, { over: false, taken: false, drained: false, attached: false });
          break;
        case "confirmWritable":
          expect(this.written.get(action.stream)).toBe("open");
          this.written.set(action.stream, "confirmed");
          break;
        case "failWritable":
          expect(this.written.get(action.stream)).toBe("open");
          this.written.set(action.stream, "failed");
          break;
        case "failReadable":
          expect(this.reading.get(action.stream)).toMatchObject({ over: false });
          this.reading.get(action.stream)!.over = "failed";
          break;
        case "credit":
          expect(this.state.mayOpen).toBe(true);
          break;
        case "closed":
          expect.unreachable(`fault between two honest ends: ${action.info.reason}`);
          break;
        default:
          expect.unreachable(`nothing here leads to ${action.do}`);
      }
    }
    const unfinished = [...this.reading.values()].filter(({ over, taken, drained }) => !over || !taken || !drained);
    expect(unfinished.length).toBeLessThanOrEqual(streamLimit);
    expect(this.state.openStreams).toEqual({ outgoing: this.openIds().length, incoming: unfinished.length });
  }

  openIds(): number[] {
    return [...this.written].filter(([, how]) => how === "open").map(([stream]) => stream);
  }
}

interface Command {
  do: "deliver" | "open" | "abort" | "cancel" | "received" | "taken" | "drained" | "pair";
  at: 0 | 1;
  /** Which of the streams that are there. */
  which: number;
}

const at = fc.constantFrom<0 | 1>(0, 1);
const command: fc.Arbitrary<Command> = fc.record({
  do: fc.constantFrom(
    ...Array<Command["do"]>(4).fill("deliver"),
    ...Array<Command["do"]>(3).fill("open"),
    ...(["abort", "cancel", "received", "taken", "drained", "pair"] as const),
  ),
  at,
  which: fc.nat(20),
});

/** Two honest ends never fault, keep to the credit, and agree when all has arrived. */
export const honestEnds = fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
  const ends = [new End(0), new End(1)] as const;
  for (const command of commands) run(command, ends);
  deliverAll(ends);
  // Then every program finishes: what is written is received or cancelled, taken and drained.
  for (const end of ends) {
    for (const [stream, { over }] of end.reading) {
      if (!over) receive(end, stream);
      for (const what of ["taken", "drained"] as const) mark(end, stream, what);
    }
  }
  deliverAll(ends);
  for (const end of ends) {
    expect(end.openIds()).toEqual([]);
    expect(end.state.openStreams).toEqual({ outgoing: 0, incoming: 0 });
    expect(end.state.mayOpen).toBe(true);
    for (const [stream, how] of end.written) {
      const { over } = ends[1 - end.end]!.reading.get(stream)!;
      if (how === "confirmed") expect(over).toBe("received");
      else if (how === "failed") expect(over).toBe("cancelled");
      else expect(over).not.toBe(false);
    }
  }
});

const programCall = fc.record({
  do: fc.constantFrom("open", "abort", "cancel", "received", "taken", "drained", "pair", "pass"),
  stream: fc.nat(12),
});
const anyEvent = fc.oneof(
  { weight: 3, arbitrary: anyControlMessage(fc.oneof(fc.nat(12), fc.maxSafeNat())) },
  { weight: 2, arbitrary: programCall },
);

/** Any messages lead to actions or a protocol error, never to a throw or to tables without bound. */
export const anyMessages = fc.property(
  fc.constantFrom<0 | 1>(0, 1),
  fc.array(anyEvent, { maxLength: 100 }),
  (end, events) => {
    const state = new ChannelState({ end, maxStreams: [streamLimit, streamLimit], streamLimit });
    let opened = 0;
    for (const event of events) {
      const actions = "type" in event ? state.receive(event) : play(state, event);
      if ("do" in event && event.do === "open" && actions.length > 0) opened += 1;
      for (const action of actions) {
        if (action.do === "closed" && (!("type" in event) || event.type !== "close")) {
          expect(action.error).toMatchObject({ code: "protocol-error", remote: true });
          state.finish();
        }
      }
      expect(state.openStreams.incoming).toBeLessThanOrEqual(streamLimit);
      expect(state.openStreams.outgoing).toBeLessThanOrEqual(opened);
    }
  },
);

/** However many streams there were. */
export function creditFlows(): void {
  const ends = [new End(0), new End(1)] as const;
  for (let i = 0; i < 1000; i++) {
    expect(ends[0].state.mayOpen).toBe(true);
    run({ do: "open", at: 0, which: 0 }, ends);
    deliverAll(ends);
    const stream = i * 2;
    receive(ends[1], stream);
    for (const what of ["taken", "drained"] as const) mark(ends[1], stream, what);
    deliverAll(ends);
  }
}

function run(command: Command, ends: readonly [End, End]): void {
  const end = ends[command.at];
  const other = ends[1 - command.at]!;
  if (command.do === "deliver") {
    const message = other.sent.shift();
    if (message !== undefined) end.apply(end.state.receive(message));
  } else if (command.do === "open") {
    if (!end.state.mayOpen) return;
    const { stream, actions } = end.state.open("", {});
    end.written.set(stream, "open");
    end.apply(actions);
  } else if (command.do === "abort") {
    const stream = pick(end.openIds(), command.which);
    if (stream === undefined) return;
    end.written.set(stream, "aborted");
    end.apply(end.state.abort(stream, { code: "aborted", reason: "" }));
  } else {
    const stream = pick([...end.reading.keys()], command.which);
    if (stream === undefined) return;
    const reading = end.reading.get(stream)!;
    if (command.do === "pair") {
      if (reading.attached) return;
      const verdict = end.state.pair(stream, 0);
      const known = !reading.over || !reading.taken || !reading.drained;
      reading.attached = known;
      expect(verdict).toBe(reading.over ? "discard" : "attach");
    } else if (command.do === "received") receive(end, stream);
    else if (command.do === "cancel") {
      if (reading.over) return;
      reading.over = "cancelled";
      end.apply(end.state.cancel(stream, { code: "cancelled", reason: "" }));
    } else mark(end, stream, command.do);
  }
}

function receive(end: End, stream: number): void {
  const reading = end.reading.get(stream)!;
  if (reading.over) return;
  reading.over = "received";
  end.apply(end.state.received(stream));
}

function mark(end: End, stream: number, what: "taken" | "drained"): void {
  end.reading.get(stream)![what] = true;
  end.apply(end.state.mark(stream, what));
}

function deliverAll(ends: readonly [End, End]): void {
  while (ends[0].sent.length + ends[1].sent.length > 0) {
    for (const at of [0, 1] as const) run({ do: "deliver", at, which: 0 }, ends);
  }
}

function pick(ids: number[], which: number): number | undefined {
  return ids.length === 0 ? undefined : ids[which % ids.length];
}

function play(state: ChannelState, { do: what, stream }: { do: string; stream: number }): Action[] {
  switch (what) {
    case "open":
      return state.mayOpen ? state.open("", {}).actions : [];
    case "abort":
      return state.abort(stream, { code: "aborted", reason: "" });
    case "cancel":
      return state.cancel(stream, { code: "cancelled", reason: "" });
    case "received":
      return state.received(stream);
    case "pass":
      return state.pass(stream, {});
    case "pair":
      state.pair(stream, 0);
      return [];
    default:
      return state.mark(stream, what as "taken" | "drained");
  }
}
