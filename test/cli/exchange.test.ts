/** Who gets a channel with whom: the decisions of the desk. */
import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";

import { Exchange } from "../../src/cli/desk/exchange.ts";
import type { Caller, Decision, Match } from "../../src/cli/desk/exchange.ts";

const [alice, bob, carol]: Caller[] = [{ id: "alice" }, { id: "bob" }, { id: "carol" }];
const s = "files";
let forbidden: string[];
let exchange: Exchange;
beforeEach(() => {
  forbidden = [];
  exchange = new Exchange({ mayCall: (_, to) => !forbidden.includes(to), maxCalls: 2, maxListening: 2 });
  for (const each of [alice!, bob!, carol!]) exchange.join(each);
});

/** In short: `bob: listening 1`, `alice+bob`. */
function short(decisions: readonly Decision[]): string[] {
  return decisions.map((each) =>
    each.do === "introduce"
      ? `${each.match.caller.id}+${each.match.callee.id}`
      : `${each.to.id}: ${each.type} ${each.request}${each.type === "refused" ? ` ${each.code}` : ""}`,
  );
}

function matchOf(decisions: readonly Decision[]): Match {
  const found = decisions.find((each) => each.do === "introduce");
  if (found === undefined) throw new Error(`no match in ${short(decisions).join()}`);
  return found.match;
}

test("a call to one who listens, and one that waits until it does", () => {
  expect(short(exchange.listen(bob!, 1, s, false))).toEqual(["bob: listening 1"]);
  const match = matchOf(exchange.call(alice!, 1, "bob", s));
  expect(short(exchange.introduced(match))).toEqual(["alice: called 1"]);
  expect(short(exchange.call(alice!, 2, "carol", s))).toEqual(["alice: waiting 2"]);
  expect(short(exchange.listen(carol!, 1, s, false))).toEqual(["carol: listening 1", "alice+carol"]);
});

test("two that call each other get one channel", () => {
  expect(short(exchange.call(alice!, 1, "bob", s))).toEqual(["alice: waiting 1"]);
  const match = matchOf(exchange.call(bob!, 7, "alice", s));
  expect(short(exchange.introduced(match))).toEqual(["bob: called 7", "alice: called 1"]);
  expect(short(exchange.call(carol!, 1, "alice", s))).toEqual(["carol: waiting 1"]);
});

test("who listens once is given one caller; the next one when that fails", () => {
  exchange.call(alice!, 1, "bob", s);
  exchange.call(carol!, 1, "bob", s);
  const decisions = exchange.listen(bob!, 1, s, true);
  expect(short(decisions)).toEqual(["bob: listening 1", "alice+bob"]);
  const next = exchange.notIntroduced(matchOf(decisions), "refused", "no");
  expect(short(next)).toEqual(["alice: refused 1 refused", "carol+bob"]);
  exchange.introduced(matchOf(next));
  expect(exchange.listensFor(bob!)).toEqual([]);
});

test("when the other one is lost, the call waits on, and finds it when it is back", () => {
  exchange.listen(bob!, 1, s, false);
  const match = matchOf(exchange.call(alice!, 1, "bob", s));
  exchange.leave(bob!);
  const again: Caller = { id: "bob" };
  exchange.join(again);
  exchange.listen(again, 1, s, false);
  expect(short(exchange.notIntroduced(match, "peer-lost", "gone"))).toEqual(["alice+bob"]);
});

describe("refused", () => {
  test.each<[string, () => Decision[], string]>([
    ["who may not", () => ((forbidden = ["bob"]), exchange.call(alice!, 1, "bob", s)), "refused"],
    ["oneself", () => exchange.call(alice!, 1, "alice", s), "refused"],
    ["a number in use", () => (exchange.call(alice!, 1, "x", s), exchange.call(alice!, 1, "y", s)), "protocol-error"],
    [
      "too many calls",
      () => (exchange.call(alice!, 1, "x", s), exchange.call(alice!, 2, "x", s), exchange.call(alice!, 3, "x", s)),
      "limit-exceeded",
    ],
    ["listening twice", () => (exchange.listen(alice!, 1, s, false), exchange.listen(alice!, 2, s, false)), "refused"],
    ["when it closes", () => (exchange.close("bye"), exchange.call(alice!, 1, "bob", s)), "closed"],
  ])("%s", (_name, act, code) => {
    expect(short(act()).at(-1)).toMatch(new RegExp(`: refused \\d ${code}$`));
  });

  test("whether the other one is there cannot be told from it", () => {
    forbidden = ["bob", "nobody"];
    const [there] = exchange.call(alice!, 1, "bob", s);
    const [absent] = exchange.call(alice!, 2, "nobody", s);
    const { message: first } = there as { message: string };
    const { message: second } = absent as { message: string };
    expect(first.replace("bob", "X")).toBe(second.replace("nobody", "X"));
  });
});

test("rules that change refuse the calls that wait", () => {
  exchange.call(alice!, 1, "bob", s);
  forbidden = ["bob"];
  expect(short(exchange.reviewCalls())).toEqual(["alice: refused 1 refused"]);
  forbidden = [];
  expect(short(exchange.listen(bob!, 1, s, false))).toEqual(["bob: listening 1"]);
});

test("whatever happens: nobody is matched with itself, each request is answered for good at most once", () => {
  const callers = [0, 1, 2].map((index) => ({ id: `c${index}` }));
  const who = fc.nat(2);
  const action = fc.oneof(
    fc.record({ do: fc.constantFrom("join", "leave"), who }),
    fc.record({ do: fc.constantFrom("listen", "call", "cancel"), who, to: who, once: fc.boolean() }),
    fc.record({ do: fc.constantFrom("introduced", "lost", "declined"), who }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const sut = new Exchange({ mayCall: () => true, maxCalls: 3, maxListening: 2 });
      const matches: Match[] = [];
      const finals = new Set<string>();
      let request = 0;
      const take = (decisions: readonly Decision[]): void => {
        for (const each of decisions) {
          if (each.do === "introduce") {
            expect(each.match.caller).not.toBe(each.match.callee);
            matches.push(each.match);
          } else if (each.type !== "waiting" && each.type !== "listening") {
            const key = `${each.to.id} ${each.request}`;
            expect(finals.has(key)).toBe(false);
            finals.add(key);
          }
        }
      };
      for (const each of actions) {
        const caller = callers[each.who]!;
        request += 1;
        if (each.do === "join") sut.join(caller);
        else if (each.do === "leave") sut.leave(caller);
        else if ("to" in each && each.do === "listen") take(sut.listen(caller, request, s, each.once));
        else if ("to" in each && each.do === "call") take(sut.call(caller, request, `c${each.to}`, s));
        else if (each.do === "cancel") sut.cancel(caller, request - 1);
        else {
          const match = matches.shift();
          if (match === undefined) continue;
          if (each.do === "introduced") take(sut.introduced(match));
          else take(sut.notIntroduced(match, each.do === "lost" ? "peer-lost" : "refused", ""));
        }
      }
    }),
    { numRuns: 500 },
  );
});
