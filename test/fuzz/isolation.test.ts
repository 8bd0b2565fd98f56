/**
 * Two Clients who do anything at all on channels of their own, and on those that are not theirs: nobody hears what is not for
 * him, under no name but its sender's, and whoever they have to do with can go on.
 */
import * as fc from "fast-check";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe } from "vitest";
import { encodeVarints } from "../../src/streams/varint.ts";
import type { Eve } from "../hostile/bad-input/eve.ts";
import { http3Kind } from "../hostile/bad-input/http3-kind.ts";
import { framed } from "../hostile/bad-input/line.ts";
import type { Line } from "../hostile/bad-input/line.ts";
import { carolWorks, Scene, unreadName } from "../hostile/bad-input/scene.ts";
import { memoryKind, quicKind } from "../support/hub.ts";
import { fuzz } from "./fuzz.ts";

const strangers = ["eve", "mallory"] as const;
/** Few enough for Carol to take all of them, and those that are passed to her. */
const mostLinks = 5;

/** `channel` is one of its own, by the order in which it got them, or the id of any; `stream` the one whose turn it is, or any. */
type Act = { who: 0 | 1 } & (
  | { do: "link" }
  | { do: "open"; channel: number; stream: number | "its turn"; isRead: boolean }
  | {
      do: "write";
      channel: number | { id: number };
      stream: number | "its turn";
      messages: number;
      ending: "close" | "stay";
    }
  | { do: "abort" | "stop" | "finished" | "received"; channel: number; stream: number | "its turn" }
  | { do: "allow more" | "close" | "end"; channel: number }
  | { do: "pass"; channel: number; via: number; isAllowed: boolean }
  | { do: "wait"; turns: number }
);

const who = fc.constantFrom(0 as const, 1 as const);
const channel = fc.nat({ max: 3 });
const stream = fc.oneof({ weight: 12, arbitrary: fc.constant("its turn" as const) }, fc.nat({ max: 40 }));
const kindOf = <T extends Act["do"]>(...what: T[]) => fc.constantFrom(...what);

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ who, do: kindOf("link") }) },
  { weight: 6, arbitrary: fc.record({ who, do: kindOf("open"), channel, stream, isRead: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      who,
      do: kindOf("write"),
      channel: fc.oneof(
        { weight: 12, arbitrary: channel },
        fc.nat({ max: 6 }).map((id) => ({ id })),
      ),
      stream,
      messages: fc.constantFrom(0, 1, 2, 100),
      ending: fc.constantFrom("close" as const, "stay" as const),
    }),
  },
  fc.record({ who, do: kindOf("abort", "stop", "finished", "received"), channel, stream }),
  fc.record({ who, do: kindOf("allow more", "close", "end"), channel }),
  fc.record({ who, do: kindOf("pass"), channel, via: fc.nat({ max: 4 }), isAllowed: fc.boolean() }),
  fc.record({ who, do: kindOf("wait"), turns: fc.nat({ max: 5 }) }),
);

/** One of the two, and the channels that it has got. */
interface Stranger {
  name: string;
  eve: Eve;
  control: Line;
  links: { id: number; line: Line; opened: number }[];
}

describe.each([memoryKind, quicKind, http3Kind])("over $name", (kind) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.start(kind, {
      // Carol closes what she was given after each run, however many that are.
      limits: { streamsPerChannel: 16, streamsPerClient: 40, churnedChannels: 1_000_000 },
      authorize: ({ metadata }) => metadata["isAllowed"] === true,
    });
    scene.closePassed();
  });
  afterAll(() => scene.end());

  async function run(acts: Act[]): Promise<void> {
    const leaks: string[] = [];
    scene.onCarol = (from, message) => {
      const text = Buffer.from(message).toString();
      if (text !== JSON.stringify(from)) leaks.push(`Carol heard ${text} from ${from}`);
    };
    const all: Stranger[] = [];
    try {
      for (const name of strangers) {
        const eve = await scene.eve(name);
        all.push({ name, eve, control: await eve.join(name), links: [] });
        void listen(eve, (bytes) => {
          const isSession = kind !== http3Kind || (bytes[0] === 0x40 && bytes[1] === 0x54); // else HTTP/3's own
          if (isSession) leaks.push(`${name} was sent ${Buffer.from(bytes).toString("hex")}`);
        });
      }
      for (const each of acts) await play(each, all[each.who]!);
      await scene.goesOn();
      await carolWorks(scene);
    } finally {
      for (const { eve } of all) await eve.leave();
    }
    // Of those that were passed to her, Carol has both ends.
    for (const channel of scene.carolsChannels) await channel.close().catch(ignore);
    for (const { name, control, links } of all) {
      const told = JSON.stringify([control, ...links.map(({ line }) => line)].flatMap(({ heard }) => heard));
      const others = ["alice", "bob", ...strangers].filter((other) => other !== name);
      leaks.push(
        ...others.filter((other) => told.includes(`"${other}"`)).map((other) => `${name} was told of ${other}`),
      );
    }
    if (leaks.length > 0) throw new Error(leaks.join("; "));
    await scene.isTidy();
  }

  async function play(each: Act, { name, eve, links }: Stranger): Promise<void> {
    if (each.do === "wait") {
      for (let turn = 0; turn < each.turns; turn += 1) await setImmediate();
      return;
    }
    if (each.do === "link") {
      if (links.length === mostLinks) return;
      const link = await Promise.race([eve.link().catch(ignore), eve.gone]);
      if (link !== undefined) links.push({ ...link, opened: 0 });
      return;
    }
    const isForeign = typeof each.channel !== "number";
    const own = isForeign ? undefined : links[(each.channel as number) % links.length];
    const line = own?.line;
    if (each.do === "open" && each.stream === "its turn" && own !== undefined) own.opened += 1;
    const asked = "stream" in each ? each.stream : 0;
    const stream = asked === "its turn" ? 2 * Math.max(0, (own?.opened ?? 0) - 1) : asked;
    switch (each.do) {
      case "open": {
        const name = each.isRead ? "" : unreadName;
        return await line?.say({ type: "open", stream, name, metadata: {} });
      }
      case "write": {
        const id = isForeign ? (each.channel as { id: number }).id : own?.id;
        if (id === undefined) return;
        const messages = Array.from({ length: each.messages }, () => [...framed(JSON.stringify(name))]);
        // It may be held back: nobody waits for it.
        void eve.data(encodeVarints(id, stream, 0), messages.flat()).then(async (writer) => {
          if (each.ending === "close") await writer.close().catch(ignore);
        });
        return;
      }
      case "abort":
      case "stop":
        return await line?.say({ type: each.do, stream, code: "aborted", reason: "" });
      case "finished":
        return await line?.say({ type: "finished", stream });
      case "received":
        return await line?.say({ type: "received", counts: [[stream, 1]] });
      case "allow more":
        return await line?.say({ type: "maxStreams", count: 40 });
      case "close":
        return await line?.say({ type: "close", closeCode: 0, reason: "" });
      case "end":
        return await line?.end();
      case "pass":
        return await line?.say({ type: "sendChannel", via: each.via, metadata: { isAllowed: each.isAllowed } });
    }
  }

  fuzz(
    "isolation",
    `whatever two Clients do on their channels and those of others, over ${kind.name}`,
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), run),
  );
});

/** Nobody sends anything to it. */
async function listen({ connection }: Eve, onSent: (bytes: Uint8Array) => void): Promise<void> {
  try {
    for await (const readable of connection.incomingUnidirectionalStreams) {
      const { value } = (await readable.getReader().read()) as { value?: Uint8Array };
      onSent(value ?? new Uint8Array(0));
    }
  } catch {
    // It has left.
  }
}

function ignore(): undefined {}
