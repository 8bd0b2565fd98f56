// SPDX-License-Identifier: Apache-2.0
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { Failure } from "../program/failure.ts";

/** Where a user's key is kept: `~/.config/conec`, or where the system has such things. */
export function configFolder(): string {
  return folder("XDG_CONFIG_HOME", ".config");
}

/** Where a Coordinator keeps what must survive a restart: `~/.local/state/conec`, or where the system has such things. */
export function stateFolder(): string {
  return folder("XDG_STATE_HOME", join(".local", "state"));
}

function folder(variable: string, place: string): string {
  const { platform, env } = process;
  if (env[variable]) return join(env[variable], "conec");
  if (platform === "win32" && env["LOCALAPPDATA"]) return join(env["LOCALAPPDATA"], "conec");
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "conec");
  return join(homedir(), place, "conec");
}

/** Makes a folder for its owner alone, unless it is there. @throws Failure */
export async function makePrivateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Failure(`Cannot make the folder ${path}: ${(cause as Error).message}`, undefined, undefined, cause);
  }
}
