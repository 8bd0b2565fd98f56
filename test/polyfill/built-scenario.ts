import { build, stop } from "esbuild";
import { fileURLToPath } from "node:url";

/** scenario.ts as one ES module that defines `globalThis.scenario`. */
export async function builtScenario(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { scenario } from "./scenario.ts"; globalThis.scenario = scenario;`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  await stop();
  return outputFiles[0]!.text;
}

/** Takes away what conec/polyfill installs. To be evaluated before everything else. */
export const takeAway = `
  delete ReadableStream.prototype.values;
  delete ReadableStream.prototype[Symbol.asyncIterator];
  delete ReadableStream.from;
`;

/** Remembers what there is of what conec/polyfill installs, for {@link compare}. */
export const remember = `
  globalThis.installed = () =>
    [ReadableStream.prototype.values, ReadableStream.prototype[Symbol.asyncIterator], ReadableStream.from];
  globalThis.before = installed();
`;

/** For each of them: `"missing"` before, the same as before, or another. */
export const compare = `installed().map((now, index) =>
  before[index] === undefined ? "missing" : now === before[index] ? "same" : "another")`;
