import { describe, expect, test } from "vitest";
import { ChannelState } from "../../src/core/channel-state.ts";
import type { Action } from "../../src/core/channel-state.ts";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { ConecError } from "../../src/core/errors.ts";

/** End 0 with room for four streams each way. */
function create(options: { streamLimit?: number; maxStreams?: readonly [number, number] } = {}): ChannelState {
  return new ChannelState({ end: 0, maxStreams: options.maxStreams ?? [4, 4], streamLimit: options.streamLimit ?? 4 });
}

function peerOpens(state: ChannelState, stream: number): Action[] {
  return state.receive({ type: "open", stream, name: "n", metadata: { a: 1 } });
}

const faulty = [
  { do: "send", message: { type: "close", code: "protocol-error" } },
  { do: "closed", error: { code: "protocol-error", source: "channel", remote: true } },
];

describe("streams that this end opens", () => {
  test("have even ids at end 0 and odd ones at end 1, in turn", () => {
    for (const end of [0, 1] as const) {
      const state = new ChannelState({ end, maxStreams: [9, 9], streamLimit: 9 });
      const ids = [state.open("", {}), state.open("", {}), state.open("", {})].map(({ stream }) => stream);
      expect(ids).toEqual([end, end + 2, end + 4]);
    }
  });

  test("go on after those that were opened before the channel was passed on", () => {
    const state = new ChannelState({ end: 1, opened: [5, 7], maxStreams: [10, 8], streamLimit: 4 });
    expect(state.open("", {}).stream).toBe(15);
    expect(state.mayOpen).toBe(false);
    expect(peerOpens(state, 10)).toMatchObject([{ do: "surface", stream: 10 }]);
  });

  test("are announced with name and metadata", () => {
    expect(create().open("file", { a: [1] }).actions).toEqual([
      { do: "send", message: { type: "open", stream: 0, name: "file", metadata: { a: [1] } } },
    ]);
  });

  test("need credit, which maxStreams raises and never lowers", () => {
    const state = create({ maxStreams: [1, 4] });
    expect(state.mayOpen).toBe(true);
    state.open("", {});
    expect(state.mayOpen).toBe(false);
    expect(state.receive({ type: "maxStreams", count: 1 })).toEqual([]);
    expect(state.receive({ type: "maxStreams", count: 3 })).toEqual([{ do: "credit" }]);
    expect(state.receive({ type: "maxStreams", count: 2 })).toEqual([]);
    state.open("", {});
    state.open("", {});
    expect(state.mayOpen).toBe(false);
  });

  const endings: { by: string; message: ControlMessage; action: object }[] = [
    { by: "finished", message: { type: "finished", stream: 0 }, action: { do: "confirmWritable", stream: 0 } },
    {
      by: "stop",
      message: { type: "stop", stream: 0, code: "cancelled", reason: "enough", streamErrorCode: 5 },
      action: {
        do: "failWritable",
        stream: 0,
        error: { code: "cancelled", message: "enough", streamErrorCode: 5, source: "stream", remote: true },
      },
    },
    {
      by: "stop without a reason",
      message: { type: "stop", stream: 0, code: "aborted", reason: "" },
      action: { do: "failWritable", error: { code: "cancelled", message: "The reader cancelled the stream" } },
    },
    {
      by: "stop for another cause",
      message: { type: "stop", stream: 0, code: "message-too-large", reason: "" },
      action: { do: "failWritable", error: { code: "message-too-large", remote: true } },
    },
  ];

  test.each(endings)("end by $by, once", ({ message, action }) => {
    const state = create();
    expect(state.receive(message)).toMatchObject(faulty);
    const other = create();
    other.open("", {});
    expect(other.receive(message)).toMatchObject([action]);
    expect(other.openStreams).toEqual({ outgoing: 0, incoming: 0 });
    // The other ending may have crossed with it.
    for (const { message: late } of endings) expect(other.receive(late)).toEqual([]);
    expect(other.abort(0, { code: "aborted", reason: "" })).toEqual([]);
  });

  test.each(endings)("that were aborted here take no notice of $by", ({ message }) => {
    const state = create();
    state.open("", {});
    expect(state.abort(0, { code: "aborted", reason: "why", streamErrorCode: 2 })).toEqual([
      { do: "send", message: { type: "abort", stream: 0, code: "aborted", reason: "why", streamErrorCode: 2 } },
    ]);
    expect(state.receive(message)).toEqual([]);
    expect(state.openStreams.outgoing).toBe(0);
  });

  test.each(["finished", "stop"] as const)("%s for a stream of the peer is a fault", (type) => {
    const state = create();
    peerOpens(state, 1);
    expect(
      state.receive(type === "finished" ? { type, stream: 1 } : { type, stream: 1, code: "cancelled", reason: "" }),
    ).toMatchObject(faulty);
  });
});

describe("streams that the peer opens", () => {
  test("surface in turn", () => {
    const state = create();
    expect(peerOpens(state, 1)).toEqual([{ do: "surface", stream: 1, name: "n", metadata: { a: 1 } }]);
    expect(peerOpens(state, 3)).toMatchObject([{ do: "surface", stream: 3 }]);
    expect(state.openStreams).toEqual({ outgoing: 0, incoming: 2 });
  });

  test.each([
    ["our own id", 0],
    ["an id out of turn", 3],
    ["an id beyond all", Number.MAX_SAFE_INTEGER],
  ])("are a fault with %s", (_, stream) => {
    expect(peerOpens(create(), stream)).toMatchObject(faulty);
  });

  test("are a fault when opened twice", () => {
    const state = create();
    peerOpens(state, 1);
    expect(peerOpens(state, 1)).toMatchObject(faulty);
  });

  test("are a fault beyond the credit", () => {
    const state = create();
    for (const stream of [1, 3, 5, 7]) expect(peerOpens(state, stream)).toMatchObject([{ do: "surface" }]);
    expect(peerOpens(state, 9)).toMatchObject(faulty);
  });

  test("are confirmed when they were received, once", () => {
    const state = create();
    peerOpens(state, 1);
    expect(state.received(1)).toEqual([{ do: "send", message: { type: "finished", stream: 1 } }]);
    expect(state.received(1)).toEqual([]);
    expect(state.cancel(1, { code: "cancelled", reason: "" })).toEqual([]);
    expect(state.receive({ type: "abort", stream: 1, code: "aborted", reason: "" })).toEqual([]);
  });

  test("are stopped when they are cancelled, once", () => {
    const state = create();
    peerOpens(state, 1);
    expect(state.cancel(1, { code: "cancelled", reason: "why" })).toEqual([
      { do: "send", message: { type: "stop", stream: 1, code: "cancelled", reason: "why" } },
    ]);
    expect(state.cancel(1, { code: "cancelled", reason: "why" })).toEqual([]);
    expect(state.received(1)).toEqual([]);
    expect(state.receive({ type: "abort", stream: 1, code: "aborted", reason: "" })).toEqual([]);
  });

  test("fail when they are aborted, once", () => {
    const state = create();
    peerOpens(state, 1);
    const abort: ControlMessage = { type: "abort", stream: 1, code: "aborted", reason: "why", streamErrorCode: 9 };
    expect(state.receive(abort)).toMatchObject([
      {
        do: "failReadable",
        stream: 1,
        error: { code: "aborted", message: "why", streamErrorCode: 9, source: "stream", remote: true },
      },
    ]);
    expect(state.receive(abort)).toEqual([]);
    expect(state.received(1)).toEqual([]);
    expect(state.cancel(1, { code: "cancelled", reason: "" })).toEqual([]);
  });

  test.each([
    ["of this end", 0],
    ["that was not opened", 3],
  ])("abort of a stream %s is a fault", (_, stream) => {
    const state = create();
    state.open("", {});
    peerOpens(state, 1);
    expect(state.receive({ type: "abort", stream, code: "aborted", reason: "" })).toMatchObject(faulty);
  });

  test("count until they are over, taken and drained, in any order", () => {
    const orders = [
      ["received", "taken", "drained"],
      ["received", "drained", "taken"],
      ["taken", "received", "drained"],
      ["taken", "drained", "received"],
      ["drained", "taken", "received"],
      ["drained", "received", "taken"],
    ] as const;
    for (const order of orders) {
      const state = create({ streamLimit: 1, maxStreams: [1, 1] });
      peerOpens(state, 1);
      const actions = order.map((what) => (what === "received" ? state.received(1) : state.mark(1, what)));
      const sent = actions.flat().filter((action) => action.do === "send");
      expect(sent.map(({ message }) => message.type)).toEqual(["finished", "maxStreams"]);
      expect(actions.slice(0, 2).flat()).not.toContainEqual({
        do: "send",
        message: { type: "maxStreams", count: 2 },
      });
      expect(actions[2]).toContainEqual({ do: "send", message: { type: "maxStreams", count: 2 } });
      expect(state.openStreams.incoming).toBe(0);
    }
  });

  test("give their credit back in batches of a quarter", () => {
    const state = create({ streamLimit: 8, maxStreams: [8, 8] });
    const counts: number[] = [];
    for (let i = 0; i < 8; i++) {
      const stream = i * 2 + 1;
      peerOpens(state, stream);
      for (const action of [
        state.received(stream),
        state.mark(stream, "taken"),
        state.mark(stream, "drained"),
      ].flat()) {
        if (action.do === "send" && action.message.type === "maxStreams") counts.push(action.message.count);
      }
    }
    expect(counts).toEqual([10, 12, 14, 16]);
  });
});

describe("transport streams", () => {
  test("are paired with what was opened, once", () => {
    const state = create();
    expect(state.pair(1, 0)).toBe("hold");
    peerOpens(state, 1);
    expect(state.pair(1, 0)).toBe("attach");
    expect(state.pair(1, 0)).toMatchObject({ code: "protocol-error" });
  });

  test("of this end's own ids are an error", () => {
    expect(create().pair(0, 0)).toBeInstanceOf(ConecError);
  });

  test("that come after the end are thrown away", () => {
    const state = create();
    peerOpens(state, 1);
    peerOpens(state, 3);
    state.cancel(1, { code: "cancelled", reason: "" });
    expect(state.pair(1, 0)).toBe("discard");
    state.received(3);
    state.mark(3, "taken");
    state.mark(3, "drained");
    expect(state.pair(3, 0)).toBe("discard");
  });
});

describe("the channel", () => {
  test("answers ping, takes pong and goaway", () => {
    expect(create().receive({ type: "ping", id: 7 })).toEqual([{ do: "send", message: { type: "pong", id: 7 } }]);
    expect(create().receive({ type: "pong", id: 7 })).toEqual([]);
    expect(create().receive({ type: "goaway", reason: "" })).toEqual([]);
  });

  test("is told of a new peer if it was passed, else that is a fault", () => {
    const peer = { id: "carol", metadata: {} };
    const relayed = new ChannelState({ end: 0, maxStreams: [4, 4], streamLimit: 4, relayed: true });
    expect(relayed.receive({ type: "peer", peer })).toEqual([{ do: "peer", peer }]);
    expect(create().receive({ type: "peer", peer })).toMatchObject(faulty);
  });

  test("gives back the credit that its former holder did not", () => {
    const taken = new ChannelState({ end: 0, opened: [0, 3], maxStreams: [4, 4], streamLimit: 4 });
    expect(taken.begin()).toEqual([{ do: "send", message: { type: "maxStreams", count: 7 } }]);
    expect(taken.begin()).toEqual([]);
    expect(create().begin()).toEqual([]);
  });

  test("is closed by the peer", () => {
    expect(create().receive({ type: "close", closeCode: 3, reason: "bye" })).toEqual([
      { do: "closed", info: { closeCode: 3, reason: "bye" } },
    ]);
    expect(create().receive({ type: "close", closeCode: 0, reason: "gone", code: "peer-lost" })).toMatchObject([
      { do: "closed", error: { code: "peer-lost", message: "gone", source: "channel", remote: true } },
    ]);
  });

  test("is passed on, or refused", () => {
    const state = create();
    expect(state.receive({ type: "accept" })).toMatchObject(faulty);
    expect(state.pass(4, { a: 1 })).toEqual([
      { do: "send", message: { type: "sendChannel", via: 4, metadata: { a: 1 } } },
    ]);
    expect(state.receive({ type: "refuse", code: "refused", reason: "no" })).toMatchObject([
      { do: "passed", error: { code: "refused", message: "no", source: "channel", remote: true } },
    ]);
    expect(state.receive({ type: "refuse", code: "refused", reason: "no" })).toMatchObject(faulty);
    state.pass(4, {});
    expect(state.receive({ type: "accept" })).toEqual([{ do: "passed" }]);
    expect(state.receive({ type: "accept" })).toMatchObject(faulty);
  });

  test.each([
    { type: "hello", versions: [1] },
    { type: "challenge", version: 1, nonce: "" },
    { type: "identify", publicKey: "ed25519:", authority: "a", certificateHashes: [] },
    { type: "proof", signature: "" },
    { type: "welcome", id: "a", metadata: {}, coordinator: { id: "c", metadata: {} }, streamLimit: 1 },
    {
      type: "channel",
      channel: 1,
      end: 0,
      peer: { id: "b", metadata: {} },
      metadata: {},
      opened: [0, 0],
      maxStreams: [1, 1],
      epoch: 0,
    },
    { type: "rejoin", channel: 1, received: 0 },
    { type: "rejoined", received: 0 },
    { type: "ack", count: 0 },
    { type: "suspend" },
    { type: "sendChannel", via: 1, metadata: {} },
  ] satisfies ControlMessage[])("$type is a fault", (message) => {
    expect(create().receive(message)).toMatchObject(faulty);
  });

  test("does nothing more once it is over", () => {
    const state = create();
    state.open("", {});
    state.finish();
    expect(peerOpens(state, 1)).toEqual([]);
    expect(peerOpens(state, 99)).toEqual([]);
    expect(state.receive({ type: "finished", stream: 0 })).toEqual([]);
    expect(state.receive({ type: "ping", id: 1 })).toEqual([]);
  });
});
