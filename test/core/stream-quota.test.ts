import * as fc from "fast-check";
import { expect, test } from "vitest";
import { StreamQuota } from "../../src/core/stream-quota.ts";

test("has room while fewer are open than it allows, and says when one is over", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean(), { maxLength: 50 }), (limit, opens) => {
      const quota = new StreamQuota(limit);
      let [open, woken, over] = [0, 0, 0];
      quota.waiters.add(() => (woken += 1));
      for (const isOpen of opens) {
        expect(quota.hasRoom).toBe(open < limit);
        if (isOpen && quota.hasRoom) {
          quota.opened();
          open += 1;
        } else if (!isOpen && open > 0) {
          quota.over();
          open -= 1;
          over += 1;
        }
      }
      expect(woken).toBe(over);
    }),
  );
});

test("without a limit there is always room", () => {
  const quota = new StreamQuota(Infinity);
  for (let i = 0; i < 10_000; i += 1) quota.opened();
  expect(quota.hasRoom).toBe(true);
});
