/**
 * Runs before every test file: fails the file when its tests leave something open (a socket, a server, a timer, a
 * child process). Vitest kills the process of a finished test file, so without this nobody would notice.
 */
import { readdirSync, readlinkSync } from "node:fs";

import { afterAll } from "vitest";

/** Sockets and children take a moment to close; what is still there after this time has been forgotten. */
const graceMs = 2000;

const atStart = countByKind();

afterAll(async () => {
  const deadline = performance.now() + graceMs;
  let leftOpen = openedSince(atStart);
  while (leftOpen.length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20).unref());
    leftOpen = openedSince(atStart);
  }
  if (leftOpen.length > 0) throw new Error(`Tests left open: ${leftOpen.join(", ")}`);
});

/**
 * What keeps this process running, e.g. `UDPWRAP`, `TCPServerWrap`, `Timeout`, `ProcessWrap`, each with its count; and on
 * Linux the descriptors of sockets, of which Node does not know all.
 */
function countByKind(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of [...process.getActiveResourcesInfo(), ...socketDescriptors()]) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function socketDescriptors(): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:") ? ["descriptor of a socket"] : [];
    } catch {
      // That of the folder itself.
      return [];
    }
  });
}

function openedSince(before: Map<string, number>): string[] {
  return [...countByKind()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${count - (before.get(kind) ?? 0)} ${kind}`);
}
