/** In short what `npm run soak` does at length: see docs/reliability.md. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../scripts/soak.js", import.meta.url));

interface Ended {
  status: number | null;
  output: string;
}

function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], (_error, stdout, stderr) =>
      resolve({ status: child.exitCode, output: stdout + stderr }),
    );
  });
}

test("Clients that do anything at all: nothing is lost, nothing is left", { timeout: 120_000 }, async () => {
  const { status, output } = await run("--minutes", "0.08", "--clients", "6", "--processes", "2", "--seed", "3");
  expect(output).toContain("PASSED");
  expect(output).toMatch(/, resumed [1-9]/);
  expect(status).toBe(0);
});

test("a transfer in both directions that is cut again and again", { timeout: 120_000 }, async () => {
  const { status, output } = await run("--cuts", "6", "--bytes", "3e6", "--seed", "3");
  expect(output).toContain("6 times, ");
  expect(output).toContain("PASSED");
  expect(status).toBe(0);
});

test("what it does not know is refused", async () => {
  expect(await run("--transport", "pigeon")).toMatchObject({ status: 2, output: expect.stringContaining("pigeon") });
});
