/**
 * A network path with delay and loss between A and the relay, which TCP and UDP feel alike: A runs in a network namespace
 * of its own, and each IP packet between it and the relay goes through a process (packet-path.js) that holds it back or
 * drops it. B and the relay stay together. It needs Linux, root, and koffi (a package of bench/peers/packages).
 *
 * @typedef {{ delayMs: number, loss: number }} PathOptions
 *   delayMs: one way; half the round trip. loss: the share of packets lost, in each direction.
 */

import { fork, spawn, spawnSync } from "node:child_process";
import { existsSync, readlinkSync } from "node:fs";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { secondsOf } from "./machine.js";
import { sleep } from "./workloads/clock.js";

/** Of the two ends of the path. */
const A_HOST = "10.77.0.1";
const RELAY_HOST = "10.77.0.2";
const PREFIX_BITS = 30;
const SUBNET = "10.77.0.0/30";
const MTU = 1500;
/** So that nothing is lost but by intent. */
const QUEUE_PACKETS = 10_000;
const ISOLATED = "CONEC_BENCH_ISOLATED";

/**
 * Whether nothing leads out of this process's network: `isolate` has brought it here.
 */
export const isIsolated = process.env[ISOLATED] === "1";

/** Addresses that the relay's certificate has to name. */
export const hosts = ["localhost", "127.0.0.1", RELAY_HOST];

/**
 * Runs this program once more, in a network namespace that has nothing but a loopback, and ends with its exit code.
 * @param {number} mtu Of the loopback.
 * @returns {Promise<string>} Why that is not possible here. Does not return where it is.
 */
export async function isolate(mtu) {
  const script = `ip link set lo mtu ${mtu} up && exec "$@"`;
  const inside = ["--net", "sh", "-c", script, "sh"];
  if (process.platform !== "linux") return "there are no network namespaces on this system";
  if (process.getuid?.() !== 0) return "it takes root to make a network namespace";
  if (spawnSync("unshare", [...inside, "true"]).status !== 0) return "unshare --net and ip do not work here";
  const child = spawn("unshare", [...inside, process.execPath, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, [ISOLATED]: "1" },
  });
  // Ctrl-C reaches the child too, which ends all that it has started.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const [code] = await once(child, "exit");
  process.exit(code ?? 1);
}

/** @returns {string | undefined} Why `createPath` is not possible here. */
export function pathMissing() {
  if (!isIsolated) return "delay and loss need a network namespace, so Linux and root";
  if (!existsSync("/dev/net/tun")) return "there is no /dev/net/tun";
  if (!existsSync(new URL("./peers/packages/node_modules/koffi", import.meta.url))) return "koffi is not installed";
  return undefined;
}

/**
 * @param {PathOptions} options
 * @param {string} congestionControl Of TCP at both ends, whatever this machine's default is.
 * @returns {Promise<{ relayHost: string, enter: string[], cpuSeconds: () => number, close: () => Promise<void> }>} `enter`: what to put in front of
 *   a command that is to run at A's end.
 */
export async function createPath({ delayMs, loss }, congestionControl) {
  const missing = pathMissing();
  if (missing !== undefined) throw new Error(missing);
  // A namespace lives as long as a process is in it: this one until its input ends, so not longer than the bench.
  const holder = spawn("unshare", ["--net", "cat"]);
  const shim = fork(fileURLToPath(new URL("./packet-path.js", import.meta.url)), [String(delayMs), String(loss)]);
  const close = async () => {
    const alive = [shim, holder].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = alive.map((child) => once(child, "exit"));
    for (const child of alive) child.kill("SIGKILL");
    await Promise.all(ended);
  };
  try {
    const pid = String(holder.pid);
    for (let waited = 0; readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync("/proc/self/ns/net"); waited++) {
      if (waited === 500) throw new Error("unshare --net does not work here");
      await sleep(10);
    }
    const [ready] = await Promise.race([once(shim, "message"), once(shim, "exit")]);
    if (ready !== "ready") throw new Error("The process that delays and drops packets did not start");
    const enter = ["nsenter", `--net=/proc/${pid}/ns/net`];
    run("ip", "link", "set", "bench-a", "netns", pid);
    setUp([], "bench-r", RELAY_HOST, congestionControl);
    setUp(enter, "bench-a", A_HOST, congestionControl);
    return { relayHost: RELAY_HOST, enter, cpuSeconds: () => secondsOf(shim.pid), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * @param {string[]} at What enters the namespace of the device.
 * @param {string} device
 * @param {string} host
 * @param {string} congestionControl
 */
function setUp(at, device, host, congestionControl) {
  run(...at, "ip", "address", "add", `${host}/${PREFIX_BITS}`, "dev", device, "noprefixroute");
  run(...at, "ip", "link", "set", device, "mtu", `${MTU}`, "txqueuelen", `${QUEUE_PACKETS}`, "up");
  run(...at, "ip", "route", "add", SUBNET, "dev", device, "src", host, "congctl", congestionControl);
}

/** @param {...string} words */
function run(...words) {
  const [command = "", ...args] = words;
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
}
