/** Every code block of README.md and docs/guides compiles, and what it says comes of it does. Their form: code-blocks.ts. */
import { afterAll, beforeAll, expect, test } from "vitest";

import { DocsFolder, needsBrowser, pages } from "./docs-folder.ts";

let docs: DocsFolder;
let mistakes: string;
beforeAll(async () => {
  docs = await DocsFolder.create();
  mistakes = docs.compile();
}, 60_000);
afterAll(() => docs.close());

test("all blocks compile", () => {
  expect(mistakes).toBe("");
});

test("a block that is not run says why", () => {
  const reasons = pages.flatMap(({ programs }) => programs.map(({ noRun }) => noRun));
  expect(reasons).not.toContain("");
});

const toRun = pages
  .filter((page) => !needsBrowser(page))
  .map(({ name, programs }) => ({ name, programs: programs.filter(({ noRun }) => noRun === undefined) }))
  .filter(({ programs }) => programs.length > 0);

// A page's programs begin one after the other, each when the one before has printed something or has ended. All is over when
// the last one has ended.
test.concurrent.for(toRun)("the programs of $name run", { timeout: 60_000 }, async ({ name, programs }) => {
  const started = [];
  for (const program of programs) {
    const running = docs.start(name, program);
    started.push(running);
    await Promise.race([running.printed(/\n/), running.exitCode()]);
  }
  const last = started.at(-1)!;
  expect(await last.exitCode(), last.output).toBe(0);
  await Promise.all(started.map((running) => running.check()));
  await Promise.all(started.map((running) => running.end()));
});
