/** Where and with what the figures came about. */

import { existsSync, readFileSync } from "node:fs";
import os from "node:os";

const LOOPBACK_MTU_FILE = "/sys/class/net/lo/mtu";
const PACKAGES = ["conec", "ws", "@matrixai/quic"];

export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    /** Null where it cannot be told. */
    loopbackMtu: existsSync(LOOPBACK_MTU_FILE) ? Number(readFileSync(LOOPBACK_MTU_FILE, "utf8")) : null,
    /** Other work running at the start, as the kernel averages it over a minute: above 0 the figures suffer. */
    loadAverage: Number((os.loadavg()[0] ?? 0).toFixed(2)),
  };
}

/** @returns {Record<string, string>} */
export function describeVersions() {
  const root = new URL("../", import.meta.url);
  /** @type {Record<string, string>} */
  const versions = { node: process.version };
  for (const name of PACKAGES) {
    const file = new URL(name === "conec" ? "package.json" : `node_modules/${name}/package.json`, root);
    versions[name] = JSON.parse(readFileSync(file, "utf8")).version;
  }
  return versions;
}
