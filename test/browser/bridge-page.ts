/** The page's side of bridge.ts: carries out on real channels and connections what comes over a WebSocket. */
import { Channel, Client, MessageReadable, MessageWritable } from "../../src/index.ts";
import type { ClientOptions } from "../../src/index.ts";
import { WebTransportConnection } from "../../src/transports/webtransport/connection.ts";
import { webtransport } from "../../src/transports/webtransport/index.ts";
import { cuttable } from "../conformance/path.ts";
import { BridgeCodec } from "./bridge-codec.ts";
import type { Answer, Call, Tagged } from "./bridge-codec.ts";
import { Outbox } from "./outbox.ts";
import { PageReadable, PageWritable } from "./page-streams.ts";

/** @param url of the WebSocket */
export function serveBridge(url: string): void {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const things = new Map<number, object>([[0, { connect, join }]]);
  const codec = new BridgeCodec<Answer, Call>(tag, untag);
  const answers = new Outbox<Answer>((all) => {
    const frame = codec.encode(all);
    if (socket.readyState === WebSocket.OPEN) socket.send(frame);
  });
  let lastThing = 0;

  socket.addEventListener("message", ({ data }) => {
    for (const call of codec.decode(new Uint8Array(data as ArrayBuffer))) void carryOut(call);
  });

  async function carryOut({ id, target, method, args }: Call): Promise<void> {
    try {
      answers.push({ id, value: await invoke(things.get(target)!, method, args) });
    } catch (error) {
      answers.push({ id, failed: true, error });
    }
  }

  function add(thing: object): number {
    lastThing += 1;
    things.set(lastThing, thing);
    return lastThing;
  }

  function tag(value: object): Tagged | undefined {
    if (value instanceof MessageReadable) {
      const { name, metadata } = value;
      return { $: "message-readable", target: add(new PageReadable(value)), name, metadata };
    }
    if (value instanceof MessageWritable) return { $: "message-writable", target: add(new PageWritable(value)) };
    if (value instanceof ReadableStream) return { $: "readable", target: add(value.getReader()) };
    if (value instanceof WritableStream) return { $: "writable", target: add(value.getWriter()) };
    if (value instanceof Channel) {
      return { $: "channel", target: add(value), streams: value.incomingUnidirectionalStreams };
    }
    if (value instanceof PageClient) {
      const { coordinator, incomingChannels } = value.client;
      return { $: "client", target: add(value), coordinator, incomingChannels };
    }
    if (value instanceof WebTransportConnection) {
      const { remote, incomingBidirectionalStreams, incomingUnidirectionalStreams } = value;
      const streams = { incomingBidirectionalStreams, incomingUnidirectionalStreams };
      return { $: "connection", target: add(value), remote, ...streams };
    }
    return undefined;
  }

  /** A signal is all that comes to this side. The other one ends it by calling `abort`. */
  function untag({ target, aborted, reason }: Tagged): AbortSignal {
    const controller = new AbortController();
    things.set(target as number, controller);
    if (aborted === true) controller.abort(reason);
    return controller.signal;
  }
}

async function invoke(thing: object, method: string, args: unknown[]): Promise<unknown> {
  const member = (thing as Record<string | symbol, unknown>)[method === "asyncDispose" ? Symbol.asyncDispose : method];
  return await (typeof member === "function" ? member.apply(thing, args) : member);
}

async function connect(url: string, hash: Uint8Array<ArrayBuffer>): Promise<unknown> {
  return await transportTo(hash).connect(url);
}

async function join(url: string, hash: Uint8Array<ArrayBuffer>, options: Partial<ClientOptions>): Promise<PageClient> {
  const { transport, cut } = cuttable(transportTo(hash));
  return new PageClient(await Client.connect(url, { ...options, transport }), cut);
}

function transportTo(hash: Uint8Array<ArrayBuffer>) {
  return webtransport({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
}

class PageClient {
  readonly client: Client;
  /** Ends its connection without a word. */
  readonly cut: () => void;

  constructor(client: Client, cut: () => void) {
    this.client = client;
    this.cut = cut;
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}
