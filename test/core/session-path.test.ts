import { expect, test } from "vitest";
import { ConecError } from "../../src/core/errors.ts";
import { Session } from "../../src/core/session.ts";
import { listen, memory } from "../../src/transports/memory/index.ts";
import { next } from "../support/hub.ts";
import { controlStreamOn } from "../support/join-by-hand.ts";

test("a path that is given up while the other end is asked whether it goes on tells it so", async () => {
  const listener = await listen();
  const near = await memory().connect(`https://localhost:${listener.address.port}`);
  const far = await next(listener.incomingConnections);
  const session = new Session(near, {
    onControlStream: () => {},
    headerTimeoutMs: 1000,
    maxHeaders: 1,
    mayCarryData: () => true,
    mayBeLate: () => true,
  });
  const path = session.addPath(1, await session.openControlStream(), { resumable: true });
  path.suspend();
  const control = await session.openControlStream();
  void control.send({ type: "rejoin", channel: 1, received: 0 });
  path.giveUp(new ConecError("peer-lost", "Too late"));
  path.resume(control);
  const asked = controlStreamOn(await next(far.incomingBidirectionalStreams));
  expect(await asked.receive()).toMatchObject({ type: "rejoin" });
  expect(await asked.receive()).toMatchObject({ type: "close", code: "connection-lost" });
  expect(await asked.receive()).toBeUndefined();
  expect(session.paths.size).toBe(0);
  near.close();
  await listener.close();
});
