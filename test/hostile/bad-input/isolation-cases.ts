import type { ConecError } from "../../../src/index.ts";
import { headerLength, writeHeader } from "../../../src/streams/framing.ts";
import { encodeVarints } from "../../../src/streams/varint.ts";
import { rejection } from "../../support/hub.ts";
import type { Table } from "./bad-input.ts";
import type { Eve } from "./eve.ts";
import type { Line } from "./line.ts";
import { carolWorks, unreadName } from "./scene.ts";

const streamLimit = 16;
const open = (stream: number, name = "") => ({ type: "open", stream, name, metadata: {} });
const close = { type: "close", closeCode: 0, reason: "" };

async function links(eve: Eve, count: number): Promise<{ id: number; line: Line }[]> {
  const links = [];
  for (let i = 0; i < count; i += 1) links.push(await eve.link());
  return links;
}

/** All that it may open, and Carol reads none of it. */
async function openAll(links: { line: Line }[]): Promise<void> {
  const opens = Array.from({ length: streamLimit }, (_, i) => open(2 * i, unreadName));
  for (const { line } of links) await line.say(...opens);
}

/** A message of 64 KiB, framed. */
function block(): Uint8Array {
  const bytes = new Uint8Array(headerLength(65_536) + 65_536);
  writeHeader(bytes, 0, 65_536);
  return bytes;
}

export const isolation: Table = {
  level: "isolation",
  options: { limits: { streamsPerChannel: streamLimit, churnedChannels: 30, abortedStreamsPerSecond: 100 } },
  cases: [
    [
      "guesses the ids of channels of others",
      async (eve) => {
        for (let id = 1; id < 20; id += 1) await eve.data(encodeVarints(id, 0, 0), [2, 1, 0]);
      },
      "connection protocol-error",
    ],
    [
      "guesses the ids of channels of others, to send one of its own by",
      async (eve) => {
        const { line } = await eve.link();
        for (let via = 2; via < 20; via += 1) {
          await line.say({ type: "sendChannel", via, metadata: {} });
          const { code, reason } = await line.next("refuse");
          if (code !== "closed" || reason !== `There is no channel ${via}`) throw new Error(`It learnt: ${reason}`);
        }
        eve.outcomes.length = 0;
      },
      "nothing",
    ],
    [
      "sends what Carol does not read",
      async (eve, scene) => {
        const { id, line } = await eve.link();
        await line.say(open(0, unreadName));
        const writer = await eve.data(encodeVarints(id, 0, 0));
        let sent = 0;
        const sending = async (): Promise<void> => {
          for (; sent < 400; sent += 1) await writer.write(block());
        };
        sending().catch(() => {}); // ends when it leaves
        for (let i = 0; i < 5; i += 1) await scene.goesOn();
        await carolWorks(scene);
        if (sent === 400) throw new Error("Nothing held it back");
      },
      "nothing",
    ],
    [
      "opens all that it may on all channels that it may have, unread",
      async (eve, scene) => {
        await openAll(await links(eve, 32));
        await carolWorks(scene);
        const oneMore = await rejection(scene.hub.coordinator.introduce("eve", "carol"));
        if ((oneMore as ConecError).code !== "limit-exceeded") throw new Error(`It got one more: ${String(oneMore)}`);
      },
      "nothing",
    ],
    [
      "takes channels only to close them, over and over",
      async (eve) => {
        const taking = async (): Promise<void> => {
          for (let i = 0; i < 40; i += 1) await (await eve.link()).line.say(close);
        };
        await Promise.race([taking().catch(() => {}), eve.gone]);
      },
      "connection limit-exceeded",
    ],
    [
      "opens streams and aborts them, over and over",
      async (eve) => {
        const { line } = await eve.link();
        const aborting = async (): Promise<void> => {
          for (let stream = 0; stream < 500; stream += 2) {
            // Carol gives credit back for a quarter of them at a time.
            if (stream >= 2 * streamLimit && stream % (streamLimit / 2) === 0) await line.next("maxStreams");
            await line.say(open(stream), { type: "abort", stream, code: "aborted", reason: "" });
          }
        };
        await Promise.race([aborting().catch(() => {}), eve.gone]);
      },
      "connection limit-exceeded",
    ],
  ],
};

/** With a limit that is reached within the credit of a few channels. */
export const isolationWithFewStreams: Table = {
  level: "isolation, with few streams for each",
  options: { limits: { streamsPerChannel: streamLimit, streamsPerClient: streamLimit } },
  cases: [
    [
      "opens more on all its channels together than it may",
      async (eve, scene) => {
        await openAll(await links(eve, 3));
        await carolWorks(scene);
      },
      "connection limit-exceeded",
    ],
  ],
};
