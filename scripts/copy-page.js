/**
 * A part of `npm run build`: the live page (src/observe/page), which is served as it is, goes beside what is compiled.
 *
 *   node scripts/copy-page.js [FOLDER]      FOLDER instead of dist
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

cpSync(join(root, "src/observe/page"), join(process.argv[2] ?? join(root, "dist"), "observe", "page"), {
  recursive: true,
});
