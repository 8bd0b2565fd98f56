// SPDX-License-Identifier: Apache-2.0
import { unwatchFile, watchFile } from "node:fs";

/**
 * Calls back when a file is another one or has other content: by looking at it every so often, which works wherever it
 * lies (network, container mounts, links that are switched over) and whoever writes it. Keeps no process running.
 */
export function watchFiles(paths: readonly string[], onChange: () => void): { stop(): void } {
  for (const path of paths) watchFile(path, { persistent: false, interval: intervalMs }, onChange);
  return {
    stop: () => {
      for (const path of paths) unwatchFile(path, onChange);
    },
  };
}

const intervalMs = 500;
