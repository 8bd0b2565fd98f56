import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const limitMs = 5 * 60_000;

/**
 * Installs packages of Debian's, where that is possible: on Debian and its like, as root. Says what apt said when it fails.
 *
 * @param {string[]} packages
 * @returns {boolean} Whether they are there now.
 */
export function installDebianPackages(...packages) {
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  /** @param {string[]} args */
  const apt = (...args) => {
    const done = spawnSync("apt-get", ["-o", "DPkg::Lock::Timeout=120", ...args], { env, timeout: limitMs });
    if (done.status !== 0) console.error(`apt-get ${args.join(" ")}:\n${String(done.stderr)}`);
    return done.status === 0;
  };
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  return apt(...install) || (apt("update") && apt(...install));
}
