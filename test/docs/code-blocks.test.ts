/** Every code block of README.md and docs/guides compiles, and what it says comes of it does. Their form: code-blocks.ts. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { DocsFolder, needsBrowser, pages } from "./docs-folder.ts";
import { printedAll } from "./printed-all.ts";

let docs: DocsFolder;
beforeAll(async () => {
  docs = await DocsFolder.create();
}, 60_000);
afterEach(() => docs.end());
afterAll(() => docs.close());

test("all blocks compile", () => {
  expect(docs.compile()).toBe("");
});

test("a block that is not run says why", () => {
  const reasons = pages.flatMap(({ programs }) => programs.map(({ noRun }) => noRun));
  expect(reasons).not.toContain("");
});

// A page's programs begin one after the other, each when the one before has printed something or has ended. All is over when
// the last one has ended.
test.each(pages.filter((page) => !needsBrowser(page)))("the programs of $name run", async ({ name, programs }) => {
  const toRun = programs.filter(({ noRun }) => noRun === undefined);
  const started = [];
  for (const program of toRun) {
    const running = docs.start(name, program);
    started.push({ running, prints: program.prints });
    await Promise.race([running.printed(/\n/), running.exitCode()]);
  }
  expect(await started.at(-1)?.running.exitCode(), started.at(-1)?.running.output).toBe(
    started.length > 0 ? 0 : undefined,
  );
  for (const { running, prints } of started)
    await printedAll(
      running,
      prints.map((line) => docs.local(line)),
    );
});
