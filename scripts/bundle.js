/**
 * A part of `npm run build`: all that a page needs (src/browser.ts) as one file, `dist/conec.browser.js`, with a source
 * map and the licences of what is in it from other packages.
 *
 *   node scripts/bundle.js [FOLDER]      FOLDER instead of dist
 */
import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const outfile = join(process.argv[2] ?? join(root, "dist"), "conec.browser.js");

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["src/browser.ts"],
  outfile,
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  sourcemap: true,
  sourcesContent: false, // src is in the package
  metafile: true,
  legalComments: "none",
  banner: { js: "/*! conec, Apache-2.0. What else is in it: conec.browser.licenses.txt */" },
  logLevel: "warning",
});

const packages = Object.keys(metafile.inputs).flatMap(
  (file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
);
const licenses = [...new Set(packages)].map((name) => `${name}\n\n${licenseOf(join(root, "node_modules", name))}`);
writeFileSync(outfile.replace(/\.js$/, ".licenses.txt"), licenses.join("\n\n"));

/** @param {string} folder of a package */
function licenseOf(folder) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) throw new Error(`There is no licence in ${folder}`);
  return readFileSync(join(folder, file), "utf8");
}
