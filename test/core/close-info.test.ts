import { expect, test } from "vitest";
import { checkCloseInfo } from "../../src/core/close-info.ts";

test("is completed", () => {
  expect(checkCloseInfo()).toEqual({ closeCode: 0, reason: "" });
  expect(checkCloseInfo({})).toEqual({ closeCode: 0, reason: "" });
  expect(checkCloseInfo({ closeCode: 0xffff_ffff })).toEqual({ closeCode: 0xffff_ffff, reason: "" });
  expect(checkCloseInfo({ reason: "done" })).toEqual({ closeCode: 0, reason: "done" });
});

test("a long reason is cut at 1024 bytes", () => {
  expect(checkCloseInfo({ reason: "ä".repeat(600) }).reason).toBe("ä".repeat(512));
});

test.each([-1, 2 ** 32, 1.5, Number.NaN, Infinity, null, "5", 5n, {}])("a closeCode of %s is refused", (closeCode) => {
  expect(() => checkCloseInfo({ closeCode: closeCode as never })).toThrow(
    expect.objectContaining({ code: "invalid-argument" }),
  );
});

test.each([null, 5, {}, new Error("why")])("a reason of %s is refused", (reason) => {
  expect(() => checkCloseInfo({ reason: reason as never })).toThrow(
    expect.objectContaining({ code: "invalid-argument" }),
  );
});
