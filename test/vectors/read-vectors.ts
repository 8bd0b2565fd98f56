import { readFileSync } from "node:fs";

/** A list of the vectors in a file of this folder. */
export function readVectors<T>(name: string, list = "vectors"): T[] {
  const text = readFileSync(new URL(`./${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as Record<string, T[]>)[list]!;
}
