import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JoiningLine } from "../../src/core/joining-line.ts";

describe("JoiningLine", () => {
  test("hears so many of a source at once, the others in the order in which they came", () => {
    const line = new JoiningLine<number>(10, 2);
    expect([1, 2, 3, 4].map((item) => line.enter("a", item).place)).toEqual(["hear", "hear", "wait", "wait"]);
    expect(line.enter("b", 5)).toEqual({ place: "hear" });
    expect(line.leave("a", 2)).toBe(3);
    expect(line.leave("a", 4)).toBeUndefined(); // it gave up waiting
    expect(line.leave("a", 1)).toBeUndefined();
    expect(line.leave("a", 1)).toBeUndefined();
    expect(line.size).toBe(2);
  });

  test("when it is full, the source with the most loses its newest, or the newcomer is its own", () => {
    const line = new JoiningLine<string>(4, 1);
    for (const item of ["a1", "a2", "a3", "b1"]) line.enter(item[0]!, item);
    expect(line.enter("a", "a4")).toEqual({ place: "close" });
    expect(line.enter("c", "c1")).toEqual({ place: "hear", evicted: "a3" });
    expect(line.enter("d", "d1")).toEqual({ place: "hear", evicted: "a2" });
    // From here on all have as many, and nobody is thrown out to let another in.
    expect(line.enter("e", "e1")).toEqual({ place: "close" });
    expect(line.size).toBe(4);
  });

  test("a flood of few sources, all of them heard, makes room too", () => {
    const line = new JoiningLine<string>(4, 2);
    for (const item of ["a1", "a2", "b1", "b2"]) expect(line.enter(item[0]!, item).place).toBe("hear");
    expect(line.enter("c", "c1")).toEqual({ place: "hear", evicted: "a2" });
    expect(line.enter("a", "a3")).toEqual({ place: "close" });
  });
});

/** The same rules, written without regard to cost. */
class Model {
  line: { source: string; item: number; heard: boolean }[] = [];
  readonly most: number;
  readonly heardPerSource: number;

  constructor(most: number, heardPerSource: number) {
    this.most = most;
    this.heardPerSource = heardPerSource;
  }

  of = (source: string) => this.line.filter((each) => each.source === source);

  enter(source: string) {
    let evicted: number | undefined;
    if (this.line.length >= this.most) {
      const sources = [...new Set(this.line.map((each) => each.source))];
      const largest = Math.max(...sources.map((each) => this.of(each).length));
      if (largest <= this.of(source).length + 1) return { place: "close" };
      // Which of several that are as large is not said.
      evicted = -1;
    }
    return {
      place: this.of(source).filter(({ heard }) => heard).length < this.heardPerSource ? "hear" : "wait",
      evicted,
    };
  }

  add(source: string, item: number, heard: boolean) {
    this.line.push({ source, item, heard });
  }

  remove(item: number) {
    this.line = this.line.filter((each) => each.item !== item);
  }
}

test("against a model: who is heard, who waits, who goes, whatever comes", () => {
  const event = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ source: fc.constantFrom("a", "b", "c", "d", "e", "f"), enter: fc.constant(true) }),
    },
    { weight: 2, arbitrary: fc.record({ leave: fc.nat({ max: 40 }) }) },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(event, { maxLength: 120 }),
      (most, heardPerSource, events) => {
        const line = new JoiningLine<number>(most, heardPerSource);
        const model = new Model(most, heardPerSource);
        let next = 0;
        for (const what of events) {
          if ("source" in what) {
            const expected = model.enter(what.source);
            const { place, evicted } = line.enter(what.source, next);
            expect(place).toBe(expected.place);
            expect(evicted === undefined).toBe(expected.evicted === undefined);
            if (evicted !== undefined) {
              const gone = model.line.find(({ item }) => item === evicted)!;
              const counts = [...new Set(model.line.map(({ source }) => source))].map((each) => model.of(each).length);
              expect(model.of(gone.source).length).toBe(Math.max(...counts));
              expect(model.of(gone.source).at(-1)!.item).toBe(evicted);
              expect(gone.source).not.toBe(what.source);
              model.remove(evicted);
            }
            if (place !== "close") model.add(what.source, next, place === "hear");
            next += 1;
          } else {
            const gone = model.line[what.leave % Math.max(1, model.line.length)];
            if (gone === undefined) continue;
            model.remove(gone.item);
            const turn = gone.heard ? model.of(gone.source).find(({ heard }) => !heard) : undefined;
            if (turn !== undefined) turn.heard = true;
            expect(line.leave(gone.source, gone.item)).toBe(turn?.item);
          }
          expect(line.size).toBe(model.line.length);
          expect(line.size).toBeLessThanOrEqual(most);
          for (const { source } of model.line) {
            const of = model.of(source);
            expect(of.filter(({ heard }) => heard).length).toBe(Math.min(of.length, heardPerSource));
          }
        }
      },
    ),
  );
});

test("a newcomer gets in, whatever one other source does", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.integer({ min: 1, max: 20 }), (most, heardPerSource) => {
      const line = new JoiningLine<number>(most, heardPerSource);
      for (let i = 0; i < most + 50; i += 1) line.enter("flood", i);
      expect(line.enter("honest", -1).place).toBe("hear");
      for (let i = 0; i < 50; i += 1) {
        expect(line.enter("flood", 1000 + i).evicted).not.toBe(-1);
      }
    }),
  );
});
