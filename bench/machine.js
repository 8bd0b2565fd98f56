/** Where and with what the figures came about. */

import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const LOOPBACK_MTU_FILE = "/sys/class/net/lo/mtu";
const OWN_PACKAGES = ["conec", "ws", "@matrixai/quic"];
const ROOT = new URL("../", import.meta.url);
const PEERS = new URL("peers/packages/", import.meta.url);
/** The kernel counts processor time in these. */
const TICKS_PER_SECOND = 100;

export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    /** Null where it cannot be told. */
    loopbackMtu: existsSync(LOOPBACK_MTU_FILE) ? Number(readFileSync(LOOPBACK_MTU_FILE, "utf8")) : null,
    /** At the start, as the kernel averages it over a minute. */
    loadAverage: Number((os.loadavg()[0] ?? 0).toFixed(2)),
  };
}

/** @returns {Record<string, string>} */
export function describeVersions() {
  /** @type {Record<string, string>} */
  const versions = { node: process.version };
  for (const name of OWN_PACKAGES) {
    versions[name] = versionIn(new URL(name === "conec" ? "package.json" : `node_modules/${name}/package.json`, ROOT));
  }
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", PEERS), "utf8"));
  for (const name of Object.keys(dependencies)) {
    if (isInstalled(name)) versions[name] = versionIn(new URL(`node_modules/${name}/package.json`, PEERS));
  }
  const nats = spawnSync("nats-server", ["--version"], { encoding: "utf8" });
  if (nats.status === 0) versions["nats-server"] = /[\d.]+/.exec(nats.stdout)?.[0] ?? "";
  return versions;
}

/**
 * Whether a package of bench/peers is there.
 * @param {string} name
 */
export function isInstalled(name) {
  return existsSync(new URL(`node_modules/${name}/package.json`, PEERS));
}

/**
 * Installs what a package.json pins. None of it runs install scripts.
 * @param {string} folder From the root.
 * @returns {string} What went wrong, or "".
 */
export function install(folder) {
  const prefix = fileURLToPath(new URL(folder, ROOT));
  const args = ["ci", "--prefix", prefix, "--ignore-scripts", "--no-audit", "--no-fund"];
  const done = spawnSync("npm", args, { encoding: "utf8", timeout: 300_000, shell: process.platform === "win32" });
  if (done.status === 0) return "";
  return done.error?.message ?? done.stderr.split("\n").find((line) => /^npm (error|ERR!)/.test(line)) ?? "npm failed";
}

/** Processor seconds that all processes of this machine have taken. Of interrupts not all is in it. */
export function busySeconds() {
  const ms = os.cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  return ms / 1000;
}

/**
 * Processor seconds that a process has taken; where there is no /proc, NaN.
 * @param {number | undefined} pid
 */
export function secondsOf(pid) {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return NaN;
  const fields = readFileSync(file, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** @param {URL} file */
function versionIn(file) {
  return String(JSON.parse(readFileSync(file, "utf8")).version);
}
