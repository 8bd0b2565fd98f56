import { describe, expect, test } from "vitest";
import { clientLimits, coordinatorLimits } from "../../src/core/limits.ts";

describe.each([
  ["a Client", clientLimits],
  ["a Coordinator", coordinatorLimits],
] as const)("the limits of %s", (_, check) => {
  test("have defaults", () => {
    expect(check()).toMatchObject({ maxMessageBytes: 16 * 1024 * 1024, pairTimeoutMs: 10_000 });
    expect(check({ maxMessageBytes: undefined } as never)).toEqual(check());
  });

  test("are taken as given, and the defaults stay", () => {
    expect(check({ maxMessageBytes: 1 }).maxMessageBytes).toBe(1);
    expect(check({ maxMessageBytes: 2 ** 31 - 1 }).maxMessageBytes).toBe(2 ** 31 - 1);
    expect(check().maxMessageBytes).toBe(16 * 1024 * 1024);
  });

  test.each([0, -1, 1.5, Number.NaN, Infinity, 2 ** 31, 2 ** 62, "5", null, {}])("must not be %s", (value) => {
    expect(() => check({ maxMessageBytes: value as never })).toThrow(
      expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining("maxMessageBytes") }),
    );
  });

  test.each(["maxMesageBytes", "constructor", "__proto__"])("%s is not known", (key) => {
    const given = JSON.parse(`{"${key}":1}`) as object;
    expect(() => check(given)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });
});

test("how many streams a channel has is for the Coordinator to say", () => {
  expect(coordinatorLimits({ streamsPerChannel: 3 }).streamsPerChannel).toBe(3);
  expect(() => clientLimits({ streamsPerChannel: 3 } as never)).toThrow(
    expect.objectContaining({ code: "invalid-argument" }),
  );
});
