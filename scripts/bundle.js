/**
 * A part of `npm run build`, what the compiler does not make: all that a page needs (src/browser.ts) as one file,
 * `dist/conec.browser.js`, with a source map, in which nothing of other packages is; and the live page of `conec/observe`,
 * which is served as it is.
 *
 *   node scripts/bundle.js [FOLDER]      FOLDER instead of dist
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = process.argv[2] ?? join(root, "dist");

cpSync(join(root, "src", "observe", "page"), join(folder, "observe", "page"), { recursive: true });

const bundle = await rolldown({ input: join(root, "src", "browser.ts"), platform: "browser" });
await bundle.write({
  file: join(folder, "conec.browser.js"),
  format: "esm",
  minify: true,
  sourcemap: true,
  sourcemapExcludeSources: true, // src is in the package
  postBanner: "/*! conec, Apache-2.0 */",
});
await bundle.close();
