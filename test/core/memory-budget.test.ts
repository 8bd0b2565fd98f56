import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryBudget } from "../../src/core/memory-budget.ts";
import type { MemoryAccount } from "../../src/core/memory-budget.ts";
import { turns } from "../streams/message-pipe.ts";

function open(budget: MemoryBudget, names: string[]): { accounts: MemoryAccount[]; over: string[] } {
  const over: string[] = [];
  return { accounts: names.map((name) => budget.open(() => over.push(name))), over };
}

test("whoever keeps more than it may is given up, once", async () => {
  const { accounts, over } = open(new MemoryBudget(100, 1000), ["a", "b"]);
  accounts[0]!.change(100);
  accounts[1]!.change(101);
  accounts[1]!.change(50);
  expect(over).toEqual([]);
  await turns(1);
  expect(over).toEqual(["b"]);
});

test("when all together have nine tenths, whoever has the most is given up, not whoever came last", async () => {
  const budget = new MemoryBudget(1000, 1000);
  const { accounts, over } = open(budget, ["a", "b", "c"]);
  accounts[0]!.change(300);
  accounts[1]!.change(500);
  expect(budget.isTight).toBe(false);
  accounts[2]!.change(101);
  expect(budget.isTight).toBe(true);
  await turns(1);
  expect(over).toEqual(["b"]);
});

test("what is closed counts no longer, whatever it says", () => {
  const budget = new MemoryBudget(1000, 1000);
  const { accounts } = open(budget, ["a"]);
  accounts[0]!.change(300);
  accounts[0]!.close();
  accounts[0]!.change(300);
  accounts[0]!.close();
  expect(budget.used).toBe(0);
});

test("the sum is the sum of all", () => {
  const change = fc.tuple(fc.nat({ max: 4 }), fc.integer({ min: -50, max: 100 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 100 }), (changes) => {
      const budget = new MemoryBudget(1e9, 1e9);
      const { accounts } = open(budget, ["a", "b", "c", "d", "e"]);
      for (const [which, bytes] of changes) accounts[which]!.change(bytes);
      expect(budget.used).toBe(accounts.reduce((sum, { used }) => sum + used, 0));
    }),
  );
});
