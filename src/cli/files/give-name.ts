// SPDX-License-Identifier: Apache-2.0
import { constants } from "node:fs";
import { copyFile, link, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Resolution } from "./conflict.ts";
import { numberedName } from "./hostile-names.ts";
import { NotTaken } from "./received-folder.ts";
import type { Place } from "./received-folder.ts";

/** Gives a whole file its name. Returns the name that it has got. */
export async function giveName(part: string, place: Place, resolution: Resolution | undefined): Promise<string> {
  const to = join(place.folder, place.name);
  if (resolution === "overwrite") await rename(part, to);
  else if (resolution === "rename") return await moveBeside(part, place);
  else if (!(await moveUnlessThere(part, to)))
    throw new NotTaken("exists", `Something else has got the name ${place.name} in the meantime; send it again`);
  return place.name;
}

/** Gives a finished file its name; never over something that is there. @returns false if there is something */
export async function moveUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    try {
      await link(from, to);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      await copyFile(from, to, constants.COPYFILE_EXCL); // a file system without hard links
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  await rm(from, { force: true });
  return true;
}

/** Gives a finished file the first name with a number that is free. @returns the name */
export async function moveBeside(from: string, { folder, name }: Place): Promise<string> {
  for (let number = 1; number < 10_000; number += 1) {
    const numbered = numberedName(name, number);
    if (await moveUnlessThere(from, join(folder, numbered))) return numbered;
  }
  throw new NotTaken("exists", `${name} is there, and so are 9999 others`);
}
