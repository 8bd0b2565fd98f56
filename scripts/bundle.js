/**
 * A part of `npm run build`: all that a page needs (src/browser.ts) as one file, `dist/conec.browser.js`, with a source
 * map and the licences of what is in it from other packages.
 *
 *   node scripts/bundle.js [FOLDER]      FOLDER instead of dist
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const outfile = join(process.argv[2] ?? join(root, "dist"), "conec.browser.js");

const bundle = await rolldown({ input: join(root, "src", "browser.ts"), platform: "browser" });
const { output } = await bundle.write({
  file: outfile,
  format: "esm",
  minify: true,
  sourcemap: true,
  sourcemapExcludeSources: true, // src is in the package
  postBanner: "/*! conec, Apache-2.0. What else is in it: conec.browser.licenses.txt */",
});
await bundle.close();

const packages = output[0].moduleIds.flatMap(
  (file) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file.replaceAll("\\", "/"))?.[1] ?? [],
);
const licenses = [...new Set(packages)].map((name) => `${name}\n\n${licenseOf(join(root, "node_modules", name))}`);
writeFileSync(outfile.replace(/\.js$/, ".licenses.txt"), licenses.join("\n\n"));

/** @param {string} folder of a package */
function licenseOf(folder) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) throw new Error(`There is no licence in ${folder}`);
  return readFileSync(join(folder, file), "utf8");
}
