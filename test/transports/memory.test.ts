import { expect, test } from "vitest";
import { listen, memory } from "../../src/transports/memory/index.ts";
import { next, rejection } from "../support/hub.ts";
import { transportContract } from "./contract.ts";

transportContract("memory", async () => {
  const listener = await listen();
  const client = await memory().connect(`https://localhost:${listener.address.port}`);
  return { client, server: await next(listener.incomingConnections), close: () => listener.close() };
});

test("nobody listens there", async () => {
  expect(await rejection(memory().connect("https://nowhere:1"))).toMatchObject({ code: "unreachable" });
  expect(await rejection(memory().connect("wss://localhost:1"))).toMatchObject({ code: "invalid-argument" });
  expect(await rejection(memory().connect("not a url"))).toMatchObject({ code: "invalid-argument" });
  expect(await rejection(memory().connect("https://nowhere:1", { signal: AbortSignal.abort("no") }))).toBe("no");
});

test("a port is taken, and free again", async () => {
  const first = await listen({ host: "hub", port: 7 });
  expect(await rejection(listen({ host: "hub", port: 7 }))).toMatchObject({ code: "address-in-use" });
  await first.close();
  const second = await listen({ host: "hub", port: 7 });
  expect(second.address).toEqual({ host: "hub", port: 7 });
  await second[Symbol.asyncDispose]();
  for (const port of [-1, 1.5, 65_536, Number.NaN]) {
    expect(await rejection(listen({ port }))).toMatchObject({ code: "invalid-argument" });
  }
});
