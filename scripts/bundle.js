/**
 * A part of `npm run build`: all that a page needs (src/browser.ts) as one file, `dist/conec.browser.js`, with a source
 * map. Nothing of other packages is in it.
 *
 *   node scripts/bundle.js [FOLDER]      FOLDER instead of dist
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const outfile = join(process.argv[2] ?? join(root, "dist"), "conec.browser.js");

const bundle = await rolldown({ input: join(root, "src", "browser.ts"), platform: "browser" });
await bundle.write({
  file: outfile,
  format: "esm",
  minify: true,
  sourcemap: true,
  sourcemapExcludeSources: true, // src is in the package
  postBanner: "/*! conec, Apache-2.0 */",
});
await bundle.close();
