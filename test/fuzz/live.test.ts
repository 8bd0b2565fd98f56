/** Somebody who does anything at all to a Coordinator: honest Clients go on, and nothing is left behind. */
import * as fc from "fast-check";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe } from "vitest";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { encodeVarints } from "../../src/streams/varint.ts";
import { anyControlMessage } from "../core/any-control-message.ts";
import type { Eve } from "../hostile/bad-input/eve.ts";
import { http3Kind } from "../hostile/bad-input/http3-kind.ts";
import type { Line } from "../hostile/bad-input/line.ts";
import { Scene } from "../hostile/bad-input/scene.ts";
import { memoryKind, quicKind } from "../support/hub.ts";
import { almostJson } from "./almost-json.ts";
import { fuzz } from "./fuzz.ts";

type Act =
  | { do: "say"; line: number; message: ControlMessage }
  | { do: "text"; line: number; json: string }
  | { do: "bytes"; line: number; bytes: Uint8Array }
  | { do: "end" | "abort"; line: number }
  | { do: "open a line"; bytes: Uint8Array }
  | {
      do: "data";
      head: [channel: number, stream: number, epoch: number];
      bytes: Uint8Array;
      ending: "close" | "abort" | "stay";
    }
  | { do: "take an offer"; answer: "accept" | "refuse" | "silence" }
  | { do: "be written to" }
  | { do: "wait"; turns: number };

const line = fc.nat({ max: 3 });
const small = fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 40 }), fc.maxSafeNat());
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .constantFrom([0], [2, 1, 0], [0x40], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
    .map((of) => Uint8Array.from(of)),
);
const kindOf = <T extends Act["do"]>(what: T) => fc.constant(what);

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: kindOf("say"), line, message: anyControlMessage(small) }) },
  { weight: 2, arbitrary: fc.record({ do: kindOf("text"), line, json: almostJson }) },
  fc.record({ do: kindOf("bytes"), line, bytes }),
  fc.record({ do: fc.constantFrom("end" as const, "abort" as const), line }),
  fc.record({ do: kindOf("open a line"), bytes }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: kindOf("data"),
      head: fc.tuple(small, small, fc.constantFrom(0, 0, 0, 1)),
      bytes,
      ending: fc.constantFrom("close" as const, "abort" as const, "stay" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: kindOf("take an offer"),
      answer: fc.constantFrom("accept", "accept", "refuse", "silence"),
    }),
  },
  fc.record({ do: kindOf("be written to") }),
  fc.record({ do: kindOf("wait"), turns: fc.nat({ max: 5 }) }),
);

describe.each([memoryKind, quicKind, http3Kind])("over $name", (kind) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.start(kind, { authorize: ({ metadata }) => Object.keys(metadata).length % 2 === 0 });
    scene.closePassed();
  });
  afterAll(() => scene.end());

  async function run(acts: Act[], isStranger: boolean): Promise<void> {
    const eve = await scene.eve();
    const lines: Line[] = [];
    try {
      lines.push(isStranger ? await eve.line() : await eve.join());
      for (const each of acts) await play(each, eve, lines);
      await scene.goesOn();
    } finally {
      await eve.leave();
    }
    await scene.isTidy();
  }

  async function play(each: Act, eve: Eve, lines: Line[]): Promise<void> {
    const { coordinator } = scene.hub;
    const on = "line" in each ? lines[each.line % lines.length]! : lines[0]!;
    switch (each.do) {
      case "say":
        return await on.say(each.message);
      case "text":
        return await on.text(each.json);
      case "bytes":
        return await on.write(each.bytes);
      case "end":
        return await on.end();
      case "abort":
        return await on.abort();
      case "open a line": {
        const opened = await eve.line().catch(() => undefined);
        await opened?.write(each.bytes);
        return;
      }
      case "data": {
        const writer = await eve.data(encodeVarints(...each.head), each.bytes);
        if (each.ending !== "stay") await writer[each.ending]().catch(() => {});
        return;
      }
      case "take an offer": {
        const noOffer = coordinator.introduce("eve", "carol").then(ignore, ignore);
        const offer = await Promise.race([eve.offer().catch(ignore), noOffer, eve.gone]);
        if (offer === undefined) return;
        lines.push(offer.line);
        if (each.answer === "accept") await offer.line.say({ type: "accept" });
        if (each.answer === "refuse") await offer.line.say({ type: "refuse", code: "refused", reason: "" });
        return;
      }
      case "be written to": {
        const writable = await coordinator.clients
          .get("eve")
          ?.createUnidirectionalStream()
          .catch(() => undefined);
        await writable
          ?.getWriter()
          .write(Uint8Array.of(1, 2, 3))
          .catch(ignore);
        return;
      }
      case "wait":
        for (let turn = 0; turn < each.turns; turn += 1) await setImmediate();
    }
  }

  const acts = fc.array(act, { maxLength: 25 });
  fuzz(
    "handshake",
    `whatever a stranger does, over ${kind.name}`,
    fc.asyncProperty(acts, (list) => run(list, true)),
  );
  fuzz(
    "channel state",
    `whatever a Client does, over ${kind.name}`,
    fc.asyncProperty(acts, (list) => run(list, false)),
  );
});

function ignore(): undefined {}
