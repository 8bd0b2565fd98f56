import * as fc from "fast-check";
import { test } from "vitest";
import { anyMessages, creditFlows, honestEnds } from "./channel-state-model.ts";

test("two honest ends never fault, keep to the credit, and agree when all has arrived", () => {
  fc.assert(honestEnds, { numRuns: 600 });
});

test("credit flows for ever", creditFlows);

test("any messages lead to actions or a protocol error, never to a throw or to tables without bound", () => {
  fc.assert(anyMessages, { numRuns: 600 });
});
