/**
 * `npm run soak -- --minutes 10`: many Clients in several processes that do anything at all over connections that fail, while
 * every byte and every ending is checked and memory is watched. `npm run soak -- --cuts 1000 --bytes 1e9`: one transfer in both
 * directions, cut again and again. What else it takes: test/soak/main.ts. Runs the sources of now.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync, stop } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
// Within the package, where its dependencies are found.
const folder = mkdtempSync(join(root, "node_modules", ".soak-"));
buildSync({
  entryPoints: ["main.ts", "process.ts"].map((name) => join(root, "test", "soak", name)),
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  sourcemap: "inline",
});
await stop(); // its process
const args = ["--enable-source-maps", join(folder, "main.mjs"), ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
rmSync(folder, { recursive: true, force: true });
process.exitCode = status ?? 1;
