/** What comes of a connection that the engine of either end has ended. */
import { describe, expect, test } from "vitest";
import { endOf } from "../../src/transports/quic/connection-end.ts";
import { Attacker } from "../hostile/quic/attacker.ts";
import { frames } from "../hostile/quic/frames.ts";
import { Hub, quicKind } from "../support/hub.ts";

describe("a Client that closes with a transport error", () => {
  const cases = [
    ["is gone if it had found a fault", 0x0a, []],
    ["is waited for if only the ids were confused", 0x07, ["eve"]],
  ] as const;
  test.each(cases)("%s", async (_, code, stillThere) => {
    const hub = await Hub.start(quicKind, { authorities: ["127.0.0.1"] });
    const attacker = await Attacker.connect(Number(new URL(hub.url).port));
    const client = await attacker.join("eve");
    const events: string[] = [];
    const over = new Promise<void>((resolve) => {
      hub.coordinator.subscribe(({ type }) => {
        events.push(type);
        if (type === "away" || type === "left") resolve();
      });
    });
    attacker.send(frames.close(code, 0, new Uint8Array(0)));
    await over;
    expect([...hub.coordinator.clients.keys()]).toEqual(stillThere);
    await attacker.vanish();
    await client.close();
    await hub.close();
  });
});

test("a client that finds the server's ids confused has lost its connection, a server has found a fault", () => {
  const errorCode = 0x07;
  const engine = {
    peerError: () => null,
    localError: () => ({ isApp: false, errorCode, reason: new Uint8Array(0) }),
    isTimedOut: () => false,
  };
  expect(endOf(engine, false)).toMatchObject({ error: { code: "connection-lost" } });
  expect(endOf(engine, true)).toMatchObject({ error: { code: "protocol-error" } });
});
