import { existsSync, readFileSync } from "node:fs";

/**
 * What a run has written to a file, a line of JSON each; nothing if there is no such file.
 *
 * @param {string} path
 * @returns {any[]}
 */
export function readJsonLines(path) {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}
