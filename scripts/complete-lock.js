/**
 * `node scripts/complete-lock.js`, after every `npm install`: puts back into package-lock.json, and those of bench/peers/packages and test/runtimes/packages,
 * the optional packages for other platforms that npm left out because the registry in use does not have them. Without them
 * `npm ci` refuses the lock file elsewhere. With `--check` it changes nothing and fails if something is missing, or if a
 * file holds download addresses.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @typedef {{ packages: Record<string, any> }} Lock */

for (const folder of ["..", "../bench/peers/packages", "../test/runtimes/packages"]) {
  const path = fileURLToPath(new URL(`${folder}/package-lock.json`, import.meta.url));
  /** @type {Lock} */
  const lock = JSON.parse(readFileSync(path, "utf8"));
  const missing = Object.entries(lock.packages).flatMap(([parent, entry]) => missingOf(lock, parent, entry));
  const addresses = Object.entries(lock.packages).filter(([, entry]) => "resolved" in entry);
  if (process.argv.includes("--check")) {
    for (const { key } of missing) console.log(`missing: ${key}`);
    for (const [key] of addresses) console.log(`download address: ${key}`);
    if (missing.length + addresses.length > 0) process.exitCode = 1;
  } else {
    for (const { key, entry } of missing) lock.packages[key] = entry;
    for (const [, entry] of addresses) delete entry.resolved;
    const { "": root, ...rest } = lock.packages;
    const sorted = Object.entries(rest).sort(([a], [b]) => a.localeCompare(b, "en"));
    lock.packages = { "": root, ...Object.fromEntries(sorted) };
    writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
    console.log(`${missing.length} added`);
  }
}

/**
 * The optional dependencies of a package that have no entry, as their names tell what they are for.
 *
 * @param {Lock} lock
 * @param {string} parent
 * @param {any} entry
 */
function missingOf(lock, parent, entry) {
  const found = [];
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    const platform =
      /(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x|universal)(?:-(gnu|musl))?/.exec(
        name,
      );
    if (key in lock.packages || `${parent}/${key}` in lock.packages || platform === null) continue;
    const [, os, cpu, libc] = platform;
    found.push({
      key,
      entry: {
        version,
        ...(cpu === "universal" ? {} : { cpu: [cpu] }),
        ...(entry.dev ? { dev: true } : {}),
        ...(libc ? { libc: [libc === "gnu" ? "glibc" : "musl"] } : {}),
        optional: true,
        os: [os],
      },
    });
  }
  return found;
}
