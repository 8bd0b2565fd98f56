import { readFileSync } from "node:fs";

/** The vectors of a file in this folder. */
export function readVectors<T>(name: string): T[] {
  const text = readFileSync(new URL(`./${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { vectors: T[] }).vectors;
}
