// SPDX-License-Identifier: Apache-2.0
import { lstat, readdir, stat } from "node:fs/promises";
import type { Stats } from "node:fs";
import { basename, join, resolve } from "node:path";

import { UsageError } from "../program/failure.ts";

/** Something to send. */
export interface Found {
  readonly kind: "file" | "folder";
  /** Where it is here. */
  readonly source: string;
  /** What it is called there. */
  readonly path: readonly string[];
  readonly size: number;
  readonly modifiedMs: number;
  readonly mode: number;
}

/** Something that is not sent, and why. */
export interface Skipped {
  readonly kind: "skipped";
  readonly source: string;
  readonly why: string;
}

/**
 * Everything in files and folders, folders before what is in them, always in the same order. What a user names is followed
 * if it is a link; links within a folder are skipped, because they may lead anywhere.
 */
export async function* walk(roots: readonly string[]): AsyncGenerator<Found | Skipped> {
  for (const root of roots) yield* visit(root, [rootName(root)], true);
}

/** @throws UsageError when one of them is not there, or two have the same name */
export async function checkRoots(roots: readonly string[]): Promise<void> {
  const names = new Set<string>();
  for (const root of roots) {
    await stat(root).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(error.code === "ENOENT" ? `There is no file ${root}` : error.message, "send");
    });
    const name = rootName(root);
    if (names.has(name)) throw new UsageError(`Two of the files are called ${name}: send them one by one`, "send");
    names.add(name);
  }
}

async function* visit(source: string, path: readonly string[], follow: boolean): AsyncGenerator<Found | Skipped> {
  let found: Stats;
  let names: string[] = [];
  try {
    found = await (follow ? stat(source) : lstat(source));
    if (found.isDirectory()) names = await readdir(source);
  } catch (error) {
    return yield { kind: "skipped", source, why: (error as Error).message };
  }
  if (!found.isFile() && !found.isDirectory()) {
    const why = found.isSymbolicLink() ? "a link within a folder" : "neither a file nor a folder";
    return yield { kind: "skipped", source, why };
  }
  const kind = found.isFile() ? "file" : "folder";
  const modifiedMs = Math.max(0, Math.floor(found.mtimeMs));
  yield { kind, source, path, size: kind === "file" ? found.size : 0, modifiedMs, mode: found.mode & 0o777 };
  for (const name of names.sort()) yield* visit(join(source, name), [...path, name], false);
}

/** `.` and `..` have a name, too. */
function rootName(root: string): string {
  return basename(resolve(root)) || "root";
}
