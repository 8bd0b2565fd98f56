import { Client, Coordinator, generateKeyPair } from "../../../src/index.ts";
import type { Channel, ClientOptions, ConecErrorCode, CoordinatorOptions } from "../../../src/index.ts";
import { coordinatorLimits, clientLimits } from "../../../src/core/limits.ts";
import * as memoryTransport from "../../../src/transports/memory/index.ts";
import * as quicTransport from "../../../src/transports/quic/index.ts";
import * as webSocketTransport from "../../../src/transports/websocket/node/index.ts";
import { websocket as browserWebSocket } from "../../../src/transports/websocket/websocket.ts";
import { webtransport } from "../../../src/transports/webtransport/index.ts";
import { next } from "../../support/hub.ts";
import { message } from "../../support/messages.ts";
import type { Scene } from "./scene.ts";

/** An honest Client whose program calls conec in a way that it should not. */
export interface Program {
  client: Client;
  /** Its channel with Carol, who reads all that comes. */
  channel: Channel;
  scene: Scene;
}

/** What the program does, and the code of the error that it gets; or that it gets none. */
export type ApiMisuse = [name: string, does: (program: Program) => unknown, gets: ConecErrorCode | "nothing"];

/** Whatever is given where something else is wanted. */
const notCounts: [name: string, value: unknown][] = [
  ["NaN", Number.NaN],
  ["-1", -1],
  ["0.5", 0.5],
  ["2^62", 2 ** 62],
  ["Infinity", Infinity],
  ["a text", "5"],
  ["a BigInt", 5n],
  ["an object", { valueOf: () => 5 }],
];

const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;

const notMetadata: [name: string, value: unknown][] = [
  ["NaN", { a: Number.NaN }],
  ["undefined", { a: undefined }],
  ["a function", { a: () => {} }],
  ["a symbol", { a: Symbol("a") }],
  ["a BigInt", { a: 1n }],
  ["a cycle", cyclic],
  ["a Map", { a: new Map() }],
  ["a Date", { a: new Date(0) }],
  ["an array", []],
  ["a text", "metadata"],
  ["null", null],
  ["an own key __proto__", JSON.parse('{"__proto__":1}')],
  ["33 keys", Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, i]))],
  ["10^5 keys", Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]))],
  ["4097 bytes", { a: "x".repeat(4089) }],
  ["100 000 levels", nested(100_000)],
];

const notNames: [name: string, value: unknown][] = [
  ["257 characters", "x".repeat(257)],
  ["NUL", "a\0b"],
  ["a line break", "a\r\nb"],
  ["an escape sequence", "\u001b[31m"],
  ["a turn of direction", "\u202eabc"],
  ["half a character", "\ud800"],
  ["a number", 7],
  ["null", null],
  ["an object", { toString: () => "name" }],
];

const notMessages: [name: string, value: () => unknown][] = [
  ["a text", () => "message"],
  ["a number", () => 7],
  ["null", () => null],
  ["undefined", () => undefined],
  ["an array", () => [1, 2]],
  ["a Blob", () => new Blob(["a"])],
  ["what was detached", () => detached(new Uint8Array(10))],
  ["a DataView of what was detached", () => detached(new DataView(new ArrayBuffer(10)))],
  ["what was cut behind the view", () => cutBehind()],
];

/** What an application's `authenticate` may do that it should not, and what the Client hears of it. */
const authenticateWrongly: Record<string, [does: () => unknown, gets: ConecErrorCode]> = {
  throws: [
    () => {
      throw new Error("no");
    },
    "refused",
  ],
  "throws nothing": [
    () => {
      throw undefined;
    },
    "refused",
  ],
  "throws what cannot be read": [
    () => {
      throw unreadable();
    },
    "refused",
  ],
  "rejects later": [() => new Promise((_, reject) => setTimeout(() => reject(new Error("no")), 10)), "refused"],
  "gives an id that is none": [() => ({ id: "\n" }), "invalid-argument"],
  "gives a number for an id": [() => ({ id: 7 }), "invalid-argument"],
  "gives metadata that is none": [() => ({ metadata: { a: () => {} } }), "invalid-argument"],
  "gives metadata that is too large": [() => ({ metadata: { a: "x".repeat(5000) } }), "invalid-argument"],
};

/** The hooks of the Coordinator that the programs use. */
export const hooks: CoordinatorOptions = {
  authenticate: ({ requestedId, credentials }) =>
    authenticateWrongly[JSON.stringify(credentials)?.slice(1, -1) ?? ""]?.[0]() ?? { id: requestedId },
  authorize: ({ metadata }) => {
    if ("throw" in metadata) throw new Error("no");
    return metadata["allowed"] as boolean;
  },
  duplicateId: () => {
    throw new Error("no");
  },
};

/** What is no message is taken for nothing else, but the stream is at its end with it. */
const messages: ApiMisuse[] = [
  ...notMessages.map(([name, value]): ApiMisuse => [
    `write of ${name}`,
    async ({ channel }) => (await writer(channel)).write(value() as Uint8Array),
    "invalid-argument",
  ]),
  ...notMessages.map(([name, value]): ApiMisuse => [
    `tryWrite of ${name}`,
    async ({ channel }) => (await channel.createUnidirectionalStream()).tryWrite(value() as Uint8Array),
    "invalid-argument",
  ]),
  [
    "write of 16 MiB and a byte",
    async ({ channel }) => (await writer(channel)).write(new Uint8Array(16 * 2 ** 20 + 1)),
    "message-too-large",
  ],
  [
    "write of shared memory",
    (program) => carries(program, new Uint8Array(new SharedArrayBuffer(9)).fill(5)),
    "nothing",
  ],
  ["write of memory that can be resized", (program) => carries(program, resizable(9).fill(5)), "nothing"],
  [
    "write, and another content before it has left",
    async ({ channel }) => {
      const out = await writer(channel);
      const bytes = new Uint8Array(100_000);
      const written = out.write(bytes);
      bytes.fill(9);
      await written;
      await out.close();
    },
    "nothing",
  ],
  [
    "write, and the memory taken away before it has left",
    async ({ channel }) => {
      const out = await writer(channel);
      // What was written before keeps the transport busy.
      const others = Array.from({ length: 40 }, () => out.write(message(0, 100_000)).catch(() => {}));
      const bytes = new Uint8Array(100_000);
      const written = out.write(bytes);
      detached(bytes);
      await Promise.all([written, ...others]);
    },
    "invalid-argument",
  ],
  [
    "write behind close",
    async ({ channel }) => {
      const out = await writer(channel);
      await out.close();
      await out.write(Uint8Array.of(1)).catch((error: unknown) => {
        if (!(error instanceof TypeError)) throw error; // as of every WritableStream
      });
    },
    "nothing",
  ],
  [
    "tryWrite behind close",
    async ({ channel }) => {
      const writable = await channel.createUnidirectionalStream();
      await writable.close();
      writable.tryWrite(Uint8Array.of(1));
    },
    "closed",
  ],
  [
    "20 000 writes without a wait",
    async ({ channel }) => {
      const out = await writer(channel);
      const writes = [];
      for (let i = 0; i < 20_000; i += 1) writes.push(out.write(message(i, 10)));
      await out.close();
      await Promise.all(writes);
    },
    "nothing",
  ],
  [
    "a million messages without a wait",
    async ({ channel }) => {
      const writable = await channel.createUnidirectionalStream();
      const out = writable.getWriter();
      for (let sent = 0; sent < 1_000_000;) {
        if (writable.tryWrite(message(sent, 8))) sent += 1;
        else await out.ready;
      }
      await out.close();
    },
    "nothing",
  ],
];

/** What takes options, with what are none. */
const optionTakers: Record<string, (program: Program, options: never) => unknown> = {
  createUnidirectionalStream: ({ channel }, options) => channel.createUnidirectionalStream(options),
  sendChannel: ({ channel, client }, options) => client.coordinator.sendChannel(channel, options),
  introduce: ({ scene }, options) => scene.hub.coordinator.introduce("user", "carol", options),
  "channel.close": ({ channel }, options) => channel.close(options),
  "client.close": ({ client }, options) => client.close(options),
  "coordinator.close": (_, options) => new Coordinator().close(options),
  "Client.connect": ({ scene }, options) => Client.connect(scene.hub.url, options),
  "new Coordinator": (_, options) => new Coordinator(options),
  quic: (_, options) => quicTransport.quic(options),
  websocket: (_, options) => webSocketTransport.websocket(options),
  "websocket in browsers": (_, options) => browserWebSocket(options),
  webtransport: (_, options) => webtransport(options),
  "listen of conec/quic": (_, options) => quicTransport.listen(options),
  "listen of conec/websocket": (_, options) => webSocketTransport.listen(options),
  "listen of conec/memory": (_, options) => memoryTransport.listen(options),
  createSelfSignedCertificate: (_, options) => quicTransport.createSelfSignedCertificate(options),
};

const notOptions: [name: string, value: unknown][] = [
  ["null", null],
  ["a number", 5],
  ["a text", "options"],
];

const calls: ApiMisuse[] = [
  ...Object.entries(optionTakers).flatMap(([call, does]) =>
    notOptions.map(([name, value]): ApiMisuse => [
      `${call} with ${name} for options`,
      (program) => does(program, value as never),
      "invalid-argument",
    ]),
  ),
  [
    "Client.connect without options",
    ({ scene }) => Client.connect(scene.hub.url, undefined as never),
    "invalid-argument",
  ],
  ["listen without options", () => quicTransport.listen(undefined as never), "invalid-argument"],
  ["serve of nothing", ({ scene }) => scene.hub.coordinator.serve(undefined as never), "invalid-argument"],
  ["serve of no listener", ({ scene }) => scene.hub.coordinator.serve({} as never), "invalid-argument"],
  ["serve of a listener that is served", servedTwice, "invalid-argument"],
  ["joining with no key pair", ({ scene }) => joinWith(scene, { keyPair: {} as never }), "invalid-argument"],
  ...notNames.map(([name, value]): ApiMisuse => [
    `a stream with the name ${name}`,
    ({ channel }) => channel.createUnidirectionalStream({ name: value as string }),
    value === null ? "nothing" : "invalid-argument",
  ]),
  ...notMetadata.map(([name, value]): ApiMisuse => [
    `a stream with metadata of ${name}`,
    ({ channel }) => channel.createUnidirectionalStream({ metadata: value as Record<string, never> }),
    "invalid-argument",
  ]),
  ...notMetadata.map(([name, value]): ApiMisuse => [
    `introduce with metadata of ${name}`,
    ({ scene }) => scene.hub.coordinator.introduce("user", "carol", { metadata: value as Record<string, never> }),
    "invalid-argument",
  ]),
  ...notNames.map(([name, value]): ApiMisuse => [
    `joining with the id ${name}`,
    ({ scene }) => joinWith(scene, { id: value as string }),
    "invalid-argument",
  ]),
  ["joining with no id", ({ scene }) => joinWith(scene, { id: "" }), "invalid-argument"],
  [
    "joining with credentials of a function",
    ({ scene }) => joinWith(scene, { credentials: (() => {}) as never }),
    "invalid-argument",
  ],
  [
    "joining with credentials of 16 KiB and more",
    ({ scene }) => joinWith(scene, { credentials: "x".repeat(16_384) }),
    "invalid-argument",
  ],
  [
    "joining with credentials nested 100 deep",
    ({ scene }) => joinWith(scene, { credentials: nested(100) as never }),
    "protocol-error",
  ],
  ["joining with no transport", ({ scene }) => joinWith(scene, { transport: [] }), "invalid-argument"],
  [
    "joining with a transport that is none",
    ({ scene }) => joinWith(scene, { transport: {} as never }),
    "invalid-argument",
  ],
  [
    "joining with half a key pair",
    async ({ scene }) => joinWith(scene, { keyPair: await halfPair() }),
    "invalid-argument",
  ],
  ...notCounts.flatMap(([name, value]): ApiMisuse[] => [
    [
      `joining with a head start of ${name}`,
      ({ scene }) => joinWith(scene, { headStartMs: value as number }),
      "invalid-argument",
    ],
    [`close with the code ${name}`, ({ channel }) => channel.close({ closeCode: value as number }), "invalid-argument"],
    [
      `close of the Client with the code ${name}`,
      ({ client }) => client.close({ closeCode: value as number }),
      "invalid-argument",
    ],
    [`a Coordinator with limits of ${name}`, () => allLimits(value), "invalid-argument"],
    [
      `a Client with limits of ${name}`,
      ({ scene }) => joinWith(scene, { limits: { unreadChannels: value as number } }),
      "invalid-argument",
    ],
  ]),
  [
    "a Coordinator with a limit that is not there",
    () => new Coordinator({ limits: { maxClientz: 1 } as object }),
    "invalid-argument",
  ],
  ["a Coordinator with the id \\n", () => new Coordinator({ id: "\n" }), "invalid-argument"],
  ["close with a reason that is none", ({ channel }) => channel.close({ reason: 7 as never }), "invalid-argument"],
  ["close, twice", ({ channel }) => Promise.all([channel.close(), channel.close({ closeCode: 5 })]), "nothing"],
  ["close of the Client, twice", ({ client }) => Promise.all([client.close(), client.close()]), "nothing"],
  [
    "a stream on a closed channel",
    ({ channel }) => channel.close().then(() => channel.createUnidirectionalStream()),
    "closed",
  ],
  ["introduce of nobody", ({ scene }) => scene.hub.coordinator.introduce("user", "nobody"), "peer-lost"],
  ["introduce of a number", ({ scene }) => scene.hub.coordinator.introduce("user", 7 as never), "peer-lost"],
  ["sendChannel of no channel", ({ channel }) => channel.sendChannel({} as Channel), "invalid-argument"],
  ["sendChannel over itself", ({ channel }) => channel.sendChannel(channel), "invalid-argument"],
  [
    "sendChannel of the Client's own channel",
    ({ channel, client }) => channel.sendChannel(client.coordinator),
    "invalid-argument",
  ],
  [
    "sendChannel of another Client's channel",
    ({ channel, scene }) => channel.sendChannel(scene.carol.coordinator),
    "invalid-argument",
  ],
  ["sendChannel without leave", ({ channel, client }) => client.coordinator.sendChannel(channel), "refused"],
  [
    "sendChannel with a stream open",
    async ({ channel, client }) => {
      await channel.createUnidirectionalStream();
      await client.coordinator.sendChannel(channel);
    },
    "streams-open",
  ],
  [
    "a channel that was passed on, used",
    (program) => passedOn(program, () => program.channel.createUnidirectionalStream()),
    "detached",
  ],
  [
    "a channel that was passed on, passed on",
    (program) => passedOn(program, () => program.client.coordinator.sendChannel(program.channel)),
    "detached",
  ],
  [
    "serve on a closed Coordinator",
    async ({ scene }) => {
      const coordinator = new Coordinator();
      await coordinator.close();
      const { listener } = await scene.hub.kind.listen();
      try {
        coordinator.serve(listener);
      } finally {
        await listener.close();
      }
    },
    "closed",
  ],
  ...Object.entries(authenticateWrongly).map(([what, [, code]]): ApiMisuse => [
    `authenticate ${what}`,
    ({ scene }) => joinWith(scene, { credentials: what }),
    code,
  ]),
  [
    "authorize throws",
    ({ client, channel }) => client.coordinator.sendChannel(channel, { metadata: { throw: 1 } }),
    "refused",
  ],
  [
    "authorize answers with what is no boolean",
    ({ client, channel }) => client.coordinator.sendChannel(channel, { metadata: { allowed: "yes" } }),
    "refused",
  ],
  ["duplicateId throws", ({ scene }) => joinWith(scene, { id: "carol" }), "refused"],
  [
    "accept throws",
    ({ scene }) =>
      introducedTo(scene, () => {
        throw new Error("no");
      }),
    "refused",
  ],
  [
    "accept throws nothing",
    ({ scene }) =>
      introducedTo(scene, () => {
        throw undefined;
      }),
    "refused",
  ],
  [
    "accept rejects with what cannot be read",
    ({ scene }) => introducedTo(scene, () => Promise.reject(unreadable())),
    "refused",
  ],
  ["a listener of peerchange throws", listenerThrows, "nothing"],
];

async function servedTwice(): Promise<void> {
  const coordinator = new Coordinator();
  const listener = await memoryTransport.listen();
  coordinator.serve(listener);
  try {
    coordinator.serve(listener);
  } finally {
    await coordinator.close();
  }
}

/** Every limit by itself. The first that lets the value pass is what comes out. */
function allLimits(value: unknown): void {
  for (const name of Object.keys(coordinatorLimits())) {
    let passed = true;
    try {
      new Coordinator({ limits: { [name]: value } });
    } catch {
      passed = false;
    }
    if (passed) throw new Error(`The limit ${name} may be ${String(value)}`);
  }
  clientLimits({ maxMessageBytes: value as number });
}

async function joinWith({ hub }: Scene, options: Partial<ClientOptions>): Promise<unknown> {
  const client = await Client.connect(hub.url, { transport: hub.transport, ...options });
  await client.close();
  return client;
}

async function introducedTo(scene: Scene, accept: ClientOptions["accept"]): Promise<void> {
  const picky = await scene.hub.join("picky", { accept: accept! });
  try {
    await scene.hub.coordinator.introduce("user", "picky");
  } finally {
    await picky.close();
  }
}

/** Hands the channel to the Coordinator, and then does something with it. */
async function passedOn({ scene, client, channel }: Program, then: (taken: Channel) => unknown): Promise<void> {
  const taken = next(scene.hub.coordinator.passedChannels);
  await client.coordinator.sendChannel(channel, { metadata: { allowed: true } });
  try {
    await then(await taken);
  } finally {
    await (await taken).close();
  }
}

async function listenerThrows(program: Program): Promise<void> {
  const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
  await passedOn(program, async (taken) => {
    taken.addEventListener("peerchange", () => {
      throw new Error("of the program");
    });
    taken.dispatchEvent(new Event("peerchange"));
    await thrown;
  });
}

async function halfPair(): Promise<CryptoKeyPair> {
  const { publicKey } = await generateKeyPair();
  return { publicKey, privateKey: publicKey };
}

async function writer(channel: Channel): Promise<WritableStreamDefaultWriter<Uint8Array>> {
  const out = (await channel.createUnidirectionalStream()).getWriter();
  out.closed.catch(() => {});
  return out;
}

/** A message arrives as it was. */
async function carries({ client, scene }: Program, bytes: Uint8Array): Promise<void> {
  const far = scene.hub.coordinator.clients.get("user")!;
  const out = await writer(far);
  await out.write(bytes);
  const readable = await next(client.coordinator.incomingUnidirectionalStreams);
  const { value } = await readable.getReader().read();
  await out.close();
  if (value?.length !== 9 || value.some((byte) => byte !== 5)) throw new Error("Something else arrived");
}

function detached<T extends ArrayBufferView>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}

function resizable(length: number): Uint8Array {
  const Resizable = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
  return new Uint8Array(new Resizable(length, { maxByteLength: 2 * length }));
}

function cutBehind(): Uint8Array {
  const bytes = resizable(10).subarray(5, 10);
  (bytes.buffer as ArrayBuffer & { resize(length: number): void }).resize(7);
  return bytes;
}

function nested(levels: number): Record<string, unknown> {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < levels; level += 1) value = { a: value };
  return value;
}

/** An error that throws whatever is asked of it. */
function unreadable(): object {
  return new Proxy(new Error("?"), {
    get() {
      throw new Error("not to be read");
    },
  });
}

export const apiMisuses: ApiMisuse[] = [...messages, ...calls];
