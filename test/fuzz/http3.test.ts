/** Somebody who says anything at all in HTTP/3 to a listener: honest Clients go on, and nothing is left behind. */
import * as fc from "fast-check";
import { afterAll, beforeAll, describe } from "vitest";
import { encodeFrame } from "../../src/transports/quic/http3/frames.ts";
import { encodeFieldSection } from "../../src/transports/quic/http3/qpack.ts";
import type { Field } from "../../src/transports/quic/http3/qpack.ts";
import { capsuleTypes } from "../../src/transports/quic/webtransport/capsules.ts";
import { Scene } from "../hostile/bad-input/scene.ts";
import { quicKind } from "../support/hub.ts";
import { RawHttp3Client, sessionRequest } from "../transports/http3-client.ts";
import { fuzz } from "./fuzz.ts";

const anyBytes = fc.uint8Array({ maxLength: 60 });
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom(...sessionRequest),
  fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 })),
);
const frame = fc.oneof(
  fc.tuple(fc.nat({ max: 0x45 }), anyBytes).map(([type, payload]) => encodeFrame(type, payload)),
  fc.constant(encodeFrame(0x01, encodeFieldSection(sessionRequest))),
  fc.array(field, { maxLength: 8 }).map((fields) => encodeFrame(0x01, encodeFieldSection(fields))),
  fc
    .tuple(fc.constantFrom(...Object.values(capsuleTypes)), anyBytes)
    .map(([type, payload]) => encodeFrame(0x00, encodeFrame(type, payload))),
  anyBytes,
);
const head = fc.constantFrom<number[]>([], [0x00], [0x02], [0x03], [0x21], [0x40, 0x54, 0x00], [0x40, 0x41, 0x00]);
const stream: fc.Arbitrary<Stream> = fc.record({
  isTwoWay: fc.boolean(),
  head,
  frames: fc.array(frame, { maxLength: 5 }),
  ending: fc.constantFrom("close" as const, "abort" as const, "stay" as const),
});

interface Stream {
  isTwoWay: boolean;
  head: number[];
  frames: Uint8Array[];
  ending: "close" | "abort" | "stay";
}

describe("over QUIC", () => {
  let scene: Scene;
  beforeAll(async () => void (scene = await Scene.start(quicKind)));
  afterAll(() => scene.end());

  async function run(streams: Stream[], hasSettings: boolean): Promise<void> {
    const client = await RawHttp3Client.connect(Number(new URL(scene.hub.url).port));
    try {
      if (hasSettings) await client.sendSettings();
      for (const { isTwoWay, head, frames, ending } of streams) {
        const bytes = Uint8Array.from([...head, ...frames.flatMap((each) => [...each])]);
        const { streams } = client.driver;
        const { writable } = isTwoWay ? streams.openBidirectional().send : streams.openUnidirectional();
        const writer = writable.getWriter();
        writer.closed.catch(() => {});
        await writer.write(bytes).catch(() => {});
        if (ending !== "stay") writer[ending]().catch(() => {});
      }
      await scene.goesOn();
    } finally {
      await client.close();
    }
    await scene.isTidy();
  }

  fuzz(
    "HTTP/3",
    "whatever is said on any streams",
    fc.asyncProperty(fc.array(stream, { maxLength: 10 }), fc.boolean(), run),
  );
});
