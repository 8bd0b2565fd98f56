// SPDX-License-Identifier: Apache-2.0
import { chmod, lstat, mkdir, readdir, realpath, utimes } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";

import { Failure } from "../program/failure.ts";
import { pathFault } from "./hostile-names.ts";

/** A place for something received, inside of the folder. */
export interface Place {
  /** The folder that it goes into; it is there. */
  readonly folder: string;
  readonly name: string;
}

/** What is there already. */
export interface Present {
  readonly isFile: boolean;
  readonly isFolder: boolean;
  readonly size: number;
  readonly modifiedMs: number;
  /** On this file system the name means a file that is spelled otherwise: `A.TXT` and `a.txt`. */
  readonly spelledAs: string | undefined;
}

/** Something is not taken: the code goes to the other end. */
export class NotTaken extends Failure {
  override readonly name = "NotTaken";

  constructor(code: "name" | "exists" | "no-space" | "failed" | "differs" | "busy", message: string) {
    super(message, undefined, code);
  }
}

/** The folder that files are received into. Nothing is ever made or changed outside of it. */
export class ReceivedFolder {
  /** Without links on the way. */
  readonly #root: string;

  /** Makes the folder if it is not there. @throws Failure */
  static async open(path: string): Promise<ReceivedFolder> {
    try {
      await mkdir(path, { recursive: true });
      return new ReceivedFolder(await realpath(path));
    } catch (cause) {
      throw new Failure(`Cannot use the folder ${path} (--into): ${(cause as Error).message}`);
    }
  }

  private constructor(root: string) {
    this.#root = root;
  }

  get path(): string {
    return this.#root;
  }

  /**
   * Where a path of the sender leads, folders on the way made.
   *
   * @throws NotTaken when it leads anywhere else, or the name is not one
   */
  async place(path: readonly string[]): Promise<Place> {
    const fault = pathFault(path);
    if (fault !== undefined) throw new NotTaken("name", `This name is not taken: ${fault}`);
    let folder = this.#root;
    for (const name of path.slice(0, -1)) folder = await this.#enter(folder, name);
    return { folder, name: path.at(-1)! };
  }

  /** Makes a folder, unless it is there. Returns where it is. @throws NotTaken */
  async makeFolder({ folder, name }: Place): Promise<string> {
    return await this.#enter(folder, name);
  }

  /** What is at a place, links not followed. */
  async present({ folder, name }: Place): Promise<Present | undefined> {
    const found = await lstat(join(folder, name)).catch(unlessMissing);
    if (found === undefined) return undefined;
    const spelledAs = otherSpelling(name, await readdir(folder));
    const { size, mtimeMs: modifiedMs } = found;
    return { isFile: found.isFile(), isFolder: found.isDirectory(), size, modifiedMs, spelledAs };
  }

  /** The path as it is shown to people. */
  shown({ folder, name }: Place): string {
    return relative(this.#root, join(folder, name)).split(sep).join("/");
  }

  async #enter(folder: string, name: string): Promise<string> {
    const path = join(folder, name);
    await mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    const found = await lstat(path);
    if (found.isDirectory()) return path;
    if (!found.isSymbolicLink()) throw new NotTaken("exists", `${name} is there and is no folder`);
    // A link of the user's own is followed as long as it stays inside.
    const target = await realpath(path).catch(() => "");
    const way = relative(this.#root, target);
    if (target === "" || way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way))
      throw new NotTaken("name", `${name} is a link that leads out of the folder`);
    if (!(await lstat(target)).isDirectory()) throw new NotTaken("exists", `${name} is there and is no folder`);
    return target;
  }
}

/** Gives a folder its times and permissions, when everything is in it. Its owner can always go on with it. */
export async function finishFolder(
  path: string,
  { mode, modifiedMs }: { mode?: number | undefined; modifiedMs?: number | undefined },
): Promise<void> {
  if (mode !== undefined) await chmod(path, (mode | 0o700) & ~process.umask()).catch(() => {});
  if (modifiedMs !== undefined) await utimes(path, new Date(), new Date(modifiedMs)).catch(() => {});
}

/**
 * How a file is spelled that a file system finds under `name`, if not so. Such a file is another one that happens to have the
 * same name here: one of the two would take the other's place.
 */
export function otherSpelling(name: string, listing: readonly string[]): string | undefined {
  if (listing.includes(name)) return undefined;
  const folded = fold(name);
  return listing.find((each) => fold(each) === folded) ?? name;
}

function fold(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
