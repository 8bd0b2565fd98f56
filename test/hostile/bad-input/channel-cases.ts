import { encodeVarints } from "../../../src/streams/varint.ts";
import type { ConecErrorCode } from "../../../src/index.ts";
import type { BadInput, Table } from "./bad-input.ts";
import type { Eve } from "./eve.ts";
import type { Line } from "./line.ts";
import type { Scene } from "./scene.ts";

const streamLimit = 16;

const open = (stream: unknown) => ({ type: "open", stream, name: "", metadata: {} });
const finished = (stream: unknown) => ({ type: "finished", stream });
const stop = (stream: unknown) => ({ type: "stop", stream, code: "cancelled", reason: "" });
const abort = (stream: unknown) => ({ type: "abort", stream, code: "aborted", reason: "" });
const maxStreams = (count: unknown) => ({ type: "maxStreams", count });
const close = { type: "close", closeCode: 0, reason: "" };
const peer = { id: "alice", metadata: {} };
const bytes32 = "A".repeat(43);

/** What is wrong to say on any channel. */
const messages: [name: string, messages: unknown[], ConecErrorCode | "nothing"][] = [
  ["a stream out of turn", [open(4)], "protocol-error"],
  ["a stream twice", [open(0), open(0)], "protocol-error"],
  ["a stream of the other end", [open(1)], "protocol-error"],
  ["a stream with the id -1", [open(-1)], "protocol-error"],
  ["a stream with the id 0.5", [open(0.5)], "protocol-error"],
  ["a stream with the id 2^53", [open(2 ** 53)], "protocol-error"],
  ["a stream with the id null", [open(null)], "protocol-error"],
  ["more streams than it may", Array.from({ length: streamLimit + 1 }, (_, i) => open(2 * i)), "protocol-error"],
  ["that a stream was received that was never opened", [finished(1)], "protocol-error"],
  ["that its own stream was received", [open(0), finished(0)], "protocol-error"],
  ["stop, to a stream that was never opened", [stop(1)], "protocol-error"],
  ["stop, to its own stream", [open(0), stop(0)], "protocol-error"],
  ["an abort of a stream that was never opened", [abort(0)], "protocol-error"],
  ["an abort of a stream of the other end", [abort(1)], "protocol-error"],
  ["an abort, twice", [open(0), abort(0), abort(0)], "nothing"],
  ["less credit than before", [maxStreams(0), maxStreams(1)], "nothing"],
  ["more credit than anybody can use", [maxStreams(2 ** 53 - 1)], "nothing"],
  ["credit of -1", [maxStreams(-1)], "protocol-error"],
  ["credit of 2^53", [maxStreams(2 ** 53)], "protocol-error"],
  ["accept, once more", [{ type: "accept" }], "protocol-error"],
  ["refuse, to no question", [{ type: "refuse", code: "refused", reason: "" }], "protocol-error"],
  ["hello", [{ type: "hello", versions: [1] }], "protocol-error"],
  ["a challenge", [{ type: "challenge", version: 1, nonce: bytes32 }], "protocol-error"],
  [
    "identify",
    [{ type: "identify", publicKey: `ed25519:${bytes32}`, authority: "localhost", certificateHashes: [] }],
    "protocol-error",
  ],
  ["a proof", [{ type: "proof", signature: "A".repeat(86) }], "protocol-error"],
  ["welcome", [{ type: "welcome", id: "eve", metadata: {}, coordinator: peer, streamLimit: 1 }], "protocol-error"],
  [
    "an offer of a channel",
    [{ type: "channel", channel: 1, end: 0, peer, metadata: {}, opened: [0, 0], maxStreams: [1, 1] }],
    "protocol-error",
  ],
  ["that it is somebody else", [{ type: "peer", peer }], "protocol-error"],
  ["pong, to no ping", [{ type: "pong", id: 1 }], "nothing"],
  ["that it will go away", [{ type: "goaway", reason: "soon" }], "nothing"],
  ["an unknown message", [{ type: "frobnicate" }], "protocol-error"],
  ["no type", [{}], "protocol-error"],
  ["a number", [7], "protocol-error"],
  ["an unknown field", [{ type: "ping", id: 1, more: { of: ["it"] } }], "nothing"],
  ["a code that nobody knows", [{ ...close, code: "frobnicated" }], "closed"],
  ["a close code of 2^32", [{ ...close, closeCode: 2 ** 32 }], "protocol-error"],
  ["a reason of 2000 bytes", [{ ...close, reason: "x".repeat(2000) }], "protocol-error"],
];

/** What comes on data streams that is wrong, on any channel. */
const streams: [name: string, does: (eve: Eve, channel: number, line: Line) => unknown, ConecErrorCode | "nothing"][] =
  [
    [
      "bytes of a stream of the other end",
      (eve, channel) => eve.data(encodeVarints(channel, 1, 0), [0]),
      "protocol-error",
    ],
    [
      "the bytes of a stream twice",
      async (eve, channel, line) => {
        await eve.stream(line, channel, 0, [2, 1]);
        await eve.data(encodeVarints(channel, 0, 0), [2, 1]);
      },
      "protocol-error",
    ],
    [
      "bytes of more streams than it may open, and no word of any",
      async (eve, channel) => {
        for (let i = 0; i <= streamLimit; i += 1) await eve.data(encodeVarints(channel, 2 * i, 0), [0]);
      },
      "limit-exceeded",
    ],
    [
      "the bytes of one stream twice, and no word of it",
      async (eve, channel) => {
        for (let i = 0; i < 2; i += 1) await eve.data(encodeVarints(channel, 0, 0), [0]);
      },
      "limit-exceeded",
    ],
    [
      "bytes of a stream that is over",
      async (eve, channel, line) => {
        await (await eve.stream(line, channel, 0, [0])).close();
        await line.next("finished");
        await eve.data(encodeVarints(channel, 0, 0), [2, 1]);
      },
      "nothing",
    ],
  ];

/** The same on its own channel and on one with Carol: what it loses is that channel, and with its own the connection. */
const onAnyChannel = ([name, does, code]: (typeof streams)[number]): BadInput[] => [
  [`${name}, on its own channel`, (eve) => does(eve, 0, eve.control), code === "nothing" ? code : `connection ${code}`],
  [
    `${name}, on a channel with Carol`,
    async (eve) => {
      const { id, line } = await eve.link();
      await does(eve, id, line);
    },
    code === "nothing" ? code : code === "closed" ? "nothing" : `channel ${code}`,
  ],
];

const says = ([name, what, code]: (typeof messages)[number]): (typeof streams)[number] => [
  name,
  (_, __, line) => line.say(...what),
  code,
];

const withCarol =
  (does: (eve: Eve, line: Line, id: number, scene: Scene) => unknown) => async (eve: Eve, scene: Scene) => {
    const { id, line } = await eve.link();
    await does(eve, line, id, scene);
  };

/** An offer, and what is answered to it. */
const answering = (...answer: unknown[]) => {
  return async (eve: Eve, scene: Scene): Promise<void> => {
    scene.hub.coordinator.introduce("eve", "carol").catch(() => {});
    await (await eve.offer()).line.say(...answer);
  };
};

const sendChannel = (via: number, metadata = {}) => ({ type: "sendChannel", via, metadata });

const others: BadInput[] = [
  ["a channel that is not there", (eve) => eve.data(encodeVarints(77, 0, 0), [2, 1]), "connection protocol-error"],
  [
    "a channel with the id 2^62 - 1",
    (eve) => eve.data(new Uint8Array(8).fill(0xff), [0, 0]),
    "connection protocol-error",
  ],
  ["a channel that is only offered", (eve, scene) => dataForOffer(eve, scene), "nothing"],
  [
    "a second control stream",
    async (eve) => await (await eve.line()).say({ type: "hello", versions: [1] }),
    "connection protocol-error",
  ],
  [
    "a control stream of a channel of its own making",
    async (eve) => {
      const offer = { type: "channel", channel: 9, end: 0, peer, metadata: {}, opened: [0, 0], maxStreams: [1, 1] };
      await (await eve.line()).say(offer);
    },
    "connection protocol-error",
  ],
  [
    "streams that do not say what they are",
    async (eve) => {
      for (let i = 0; i <= 4 * streamLimit; i += 1) await eve.data([0x40]);
    },
    "connection limit-exceeded",
  ],
  ["close, and more of it, on its own channel", (eve) => eve.control.say(close, close, open(0)), "connection closed"],
  [
    "close, and more of it",
    withCarol((_, line) => line.say(close, close, open(0), { type: "ping", id: 1 })),
    "nothing",
  ],
  [
    "data behind close",
    withCarol(async (eve, line, id) => {
      await line.say(close);
      await line.end();
      await eve.data(encodeVarints(id, 0, 0), [2, 1, 0]);
    }),
    "nothing",
  ],
  ["the end of a channel without a close", withCarol((_, line) => line.write([0]).then(() => line.end())), "nothing"],
  ["sendChannel of its own channel", (eve) => eve.control.say(sendChannel(0)), "connection protocol-error"],
  ["sendChannel by a channel that is not there", withCarol((_, line) => line.say(sendChannel(77))), "request closed"],
  ["sendChannel by itself", withCarol((_, line, id) => line.say(sendChannel(id))), "request closed"],
  ["sendChannel without leave", withCarol((_, line) => line.say(sendChannel(0))), "request refused"],
  ["sendChannel with a stream open", withCarol((_, line) => line.say(open(0), sendChannel(0))), "request streams-open"],
  [
    "sendChannel twice, before the first is decided",
    withCarol((_, line) => line.say(sendChannel(0, { hold: true }), sendChannel(0, { hold: true }))),
    "channel protocol-error",
  ],
  [
    "sendChannel 60 times",
    withCarol((_, line) => line.say(...Array.from({ length: 60 }, () => sendChannel(77)))),
    "request limit-exceeded",
  ],
  ["open, in answer to an offer", answering(open(0)), "channel protocol-error"],
  ["a text, in answer to an offer", answering("yes"), "channel protocol-error"],
  ["refuse, then accept", answering({ type: "refuse", code: "refused", reason: "" }, { type: "accept" }), "nothing"],
  [
    "a flood of pings",
    (eve) => eve.control.say(...Array.from({ length: 300 }, (_, id) => ({ type: "ping", id }))),
    "connection limit-exceeded",
  ],
  [
    "a flood of pings, over many channels",
    async (eve) => {
      const lines = [eve.control, (await eve.link()).line, (await eve.link()).line];
      for (let id = 0; id < 300; id += 1) await lines[id % 3]!.say({ type: "ping", id });
    },
    "connection limit-exceeded",
  ],
  [
    "that a stream was received which had not ended",
    async (eve, { hub }) => {
      const writable = await hub.coordinator.clients.get("eve")!.createUnidirectionalStream();
      const closed = writable.getWriter().closed.then(String, ({ code }: { code: string }) => code);
      await eve.control.next("open");
      await eve.control.say(finished(1));
      const ended = await closed;
      if (ended !== "protocol-error") throw new Error(`The Coordinator believed it: ${ended}`);
    },
    "nothing",
  ],
  [
    "that a stream was received, twice",
    async (eve, { hub }) => {
      const writable = await hub.coordinator.clients.get("eve")!.createUnidirectionalStream();
      const closed = writable.close();
      await eve.control.next("open");
      await eve.control.say(finished(1), finished(1));
      await closed;
    },
    "nothing",
  ],
  [
    "stop, twice",
    async (eve, { hub }) => {
      const writable = await hub.coordinator.clients.get("eve")!.createUnidirectionalStream();
      const closed = writable.getWriter().closed.catch(() => {});
      await eve.control.next("open");
      await eve.control.say(stop(1), stop(1));
      await closed;
    },
    "nothing",
  ],
];

async function dataForOffer(eve: Eve, { hub }: Scene): Promise<void> {
  hub.coordinator.introduce("eve", "carol").catch(() => {});
  const { id, line } = await eve.offer();
  await eve.data(encodeVarints(id, 0, 0), [2, 1, 0]);
  await line.say({ type: "refuse", code: "refused", reason: "" });
}

export const channelState: Table = {
  level: "channel state",
  options: {
    limits: { streamsPerChannel: streamLimit },
    authorize: ({ metadata }) => (metadata["hold"] === true ? new Promise<boolean>(() => {}) : false),
  },
  cases: [...[...messages.map(says), ...streams].flatMap(onAnyChannel), ...others],
};

/** Things that are begun and not gone on with. */
export const halfOpen: Table = {
  level: "half-open and held",
  options: { limits: { streamsPerChannel: streamLimit, pairTimeoutMs: 500, acceptTimeoutMs: 500 } },
  cases: [
    ...(["on its own channel", "on a channel with Carol"] as const).map((where, i): BadInput => [
      `a stream without bytes, ${where}`,
      async (eve) => (i === 0 ? eve.control : (await eve.link()).line).say(open(0)),
      "stream timeout",
    ]),
    ["bytes without a word", (eve) => eve.data(encodeVarints(0, 0, 0), [2, 1]), "nothing"],
    // The stream is stopped when its time is over.
    ["half a header", async (eve) => (await eve.data([0x40])).closed.catch(() => {}), "nothing"],
    ["no answer to an offer", answering(), "channel timeout"],
    ["a channel, not used", (eve) => eve.link(), "nothing"],
  ],
};
