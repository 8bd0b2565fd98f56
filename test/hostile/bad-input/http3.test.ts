import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { statusOf, RawHttp3Client } from "../../transports/http3-client.ts";
import { quicKind, rejection } from "../../support/hub.ts";
import { http3Inputs, openSession } from "./http3-cases.ts";
import type { Http3Outcome } from "./http3-cases.ts";
import { Scene } from "./scene.ts";
import { within } from "./within.ts";

describe("HTTP/3 and WebTransport", () => {
  let scene: Scene;
  beforeAll(async () => void (scene = await Scene.start(quicKind)));
  afterAll(() => scene.end());

  test.each(http3Inputs)("%s", async (_, does) => {
    const client = await RawHttp3Client.connect(Number(new URL(scene.hub.url).port));
    client.driver.streams.errorCodes = { encode: () => 0, decode: (wireCode) => wireCode };
    try {
      await expectOutcome(client, await does(client));
      await scene.goesOn();
    } finally {
      await client.close();
    }
    await scene.isTidy();
  });
});

/** It gets that soon; and what is not closed goes on. */
async function expectOutcome(client: RawHttp3Client, outcome: Http3Outcome): Promise<void> {
  const soon = <T>(pending: Promise<T>) => within(1000, pending, () => "nothing");
  if (outcome === "nothing") await openSession(client);
  else if ("closes" in outcome) expect(await soon(client.closeCode())).toBe(outcome.closes);
  else if ("answers" in outcome) expect(await soon(statusOf(outcome.exchange))).toBe(outcome.answers);
  else if ("stops" in outcome) expect(await soon(rejection(outcome.stops.closed))).toMatchObject({ code: "cancelled" });
  else {
    const error = await soon(rejection(readToEnd(outcome.stream)));
    expect(error).toMatchObject({ code: "aborted", streamErrorCode: outcome.resets });
  }
}

async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
