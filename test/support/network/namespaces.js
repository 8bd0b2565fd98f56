/**
 * Real networks: network namespaces of Linux with cables between them, loss that every protocol feels, NATs that forget. There
 * are none without root, iproute2 and iptables; `whyNoNamespaces` says what is missing.
 */
import { spawn, spawnSync } from "node:child_process";
import { installDebianPackages } from "../debian-packages.js";

/** @import { ChildProcess, SpawnOptions } from "node:child_process" */

/** @type {{ reason: string | undefined } | undefined} */
let looked;

/** Why there can be no namespaces here; undefined if there can. Installs Debian's packages where that is possible. */
export function whyNoNamespaces() {
  looked ??= { reason: lookForNamespaces() };
  return looked.reason;
}

function lookForNamespaces() {
  if (process.platform !== "linux") return "no network namespaces: not on Linux";
  if (process.getuid?.() !== 0) return "no network namespaces: not root";
  const missing = [
    ...(exists("ip") ? [] : ["iproute2"]),
    // It also wants to be allowed to.
    ...(exists("iptables") ? [] : ["iptables"]),
  ];
  if (missing.length > 0 && !installDebianPackages(...missing)) {
    return `no network namespaces: ${missing.join(" and ")} cannot be installed`;
  }
  try {
    const namespaces = new Namespaces();
    try {
      namespaces.add("try").run("iptables", "-w", "-L", "-n");
    } finally {
      namespaces.remove();
    }
    return undefined;
  } catch (error) {
    return `no network namespaces: ${/** @type {Error} */ (error).message}`;
  }
}

/** @param {string} command */
function exists(command) {
  return spawnSync(command, ["-V"]).error === undefined;
}

let made = 0;

/** All that were made and not removed. @type {Set<Namespaces>} */
const standing = new Set();

/**
 * Some namespaces, to be removed together. When the process ends before, they are removed with it, and when it is killed, by
 * the next one that makes some.
 */
export class Namespaces {
  #prefix;
  /** @type {Namespace[]} */
  #all = [];
  #cables = 0;

  constructor() {
    if (standing.size === 0) {
      sweep();
      process.once("exit", removeAll);
    }
    made += 1;
    this.#prefix = `conec-${process.pid}-${made}`;
    standing.add(this);
  }

  /**
   * A new namespace, with nothing but a loopback in it.
   *
   * @param {string} name
   * @param {{ loopbackMtu?: number }} [options] The MTU of the loopback. Default 65536, as usual.
   */
  add(name, { loopbackMtu = 65_536 } = {}) {
    const full = `${this.#prefix}-${name}`;
    run("ip", "netns", "add", full);
    const namespace = new Namespace(full);
    this.#all.push(namespace);
    namespace.run("ip", "link", "set", "lo", "mtu", String(loopbackMtu), "up");
    return namespace;
  }

  /**
   * Lays a cable between two. Each end has an address, by which the other reaches it. Packets are no larger than the MTU,
   * also of TCP: by itself Linux passes up to 64 KiB of it through such a cable at once.
   *
   * @param {Namespace} a
   * @param {Namespace} b
   * @param {{ mtu?: number }} [options] Default 1500.
   * @returns {{ a: string, b: string }} The addresses of the two ends.
   */
  connect(a, b, { mtu = 1500 } = {}) {
    const network = `10.213.${this.#cables}`;
    const name = `cable${this.#cables}`;
    this.#cables += 1;
    a.run("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", b.name);
    for (const [end, host] of /** @type {const} */ ([
      [a, 1],
      [b, 2],
    ])) {
      end.run("ip", "addr", "add", `${network}.${host}/24`, "dev", name);
      end.run("ip", "link", "set", name, "mtu", String(mtu), "gso_max_segs", "1", "up");
      end.cables.push(name);
    }
    return { a: `${network}.1`, b: `${network}.2` };
  }

  /**
   * Puts a NAT between a namespace and another: what the first sends comes from the NAT's own address at the second.
   *
   * @param {Namespace} inside
   * @param {Namespace} outside
   */
  addNat(inside, outside) {
    const nat = this.add("nat");
    const inner = this.connect(inside, nat);
    const outer = this.connect(nat, outside);
    const [, cable = ""] = nat.cables;
    nat.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    nat.run("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-o", cable, "-j", "MASQUERADE", "--random");
    inside.run("ip", "route", "add", "default", "via", inner.b);
    return new Nat(nat, cable, outer.b);
  }

  /** Ends what runs in them, and removes them with all that is in them. */
  remove() {
    for (const namespace of this.#all.splice(0)) removeNamespace(namespace.name);
    standing.delete(this);
    if (standing.size === 0) process.off("exit", removeAll);
  }
}

/** A network namespace: a machine as far as the network goes. */
export class Namespace {
  /** The interfaces of its cables, in the order in which they were laid. @type {string[]} */
  cables = [];

  /** @param {string} name As `ip netns` knows it. */
  constructor(name) {
    this.name = name;
  }

  /**
   * Runs a command in it, to its end. Throws when it fails.
   *
   * @param {string} command
   * @param {string[]} args
   */
  run(command, ...args) {
    return run("ip", "netns", "exec", this.name, command, ...args);
  }

  /**
   * Starts a process in it.
   *
   * @param {string} command
   * @param {readonly string[]} args
   * @param {SpawnOptions} [options]
   * @returns {ChildProcess}
   */
  spawn(command, args, options = {}) {
    return spawn("ip", ["netns", "exec", this.name, command, ...args], options);
  }

  /**
   * Loses this share of all packets that come to it, of whatever protocol.
   *
   * @param {number} share
   */
  lose(share) {
    this.#filter("-m", "statistic", "--mode", "random", "--probability", String(share), "-j", "DROP");
  }

  /** Swallows all UDP that comes to it. */
  swallowUdp() {
    this.#filter("-p", "udp", "-j", "DROP");
  }

  /** Answers all UDP that comes to it with ICMP "administratively prohibited". */
  rejectUdp() {
    this.#filter("-p", "udp", "-j", "REJECT", "--reject-with", "icmp-admin-prohibited");
  }

  /** Takes back `lose`, `swallowUdp` and `rejectUdp`. */
  letPass() {
    this.run("iptables", "-w", "-F", "INPUT");
  }

  /** @param {string[]} rule */
  #filter(...rule) {
    this.run("iptables", "-w", "-A", "INPUT", ...rule);
  }
}

/** A masquerading NAT of Linux between two namespaces. */
class Nat {
  #namespace;
  #cable;
  #hosts = 0;

  /**
   * @param {Namespace} namespace
   * @param {string} cable Its outer one.
   * @param {string} serverHost
   */
  constructor(namespace, cable, serverHost) {
    this.#namespace = namespace;
    this.#cable = cable;
    /** Where what is behind it is reached from the inside. */
    this.serverHost = serverHost;
  }

  /** Forgets all mappings and gets another address outside, as a router that dials in again. */
  rebind() {
    const network = this.serverHost.slice(0, this.serverHost.lastIndexOf("."));
    this.#namespace.run("ip", "addr", "flush", "dev", this.#cable);
    this.#hosts = (this.#hosts + 1) % 100;
    this.#namespace.run("ip", "addr", "add", `${network}.${100 + this.#hosts}/24`, "dev", this.#cable);
  }
}

function removeAll() {
  for (const namespaces of standing) namespaces.remove();
}

/** Removes what processes have left that are no more. */
function sweep() {
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  for (const [name, pid] of stdout.matchAll(/^conec-(\d+)-[\w-]+/gm)) {
    if (!lives(Number(pid))) removeNamespace(name);
  }
}

/** @param {number} pid */
function lives(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** @param {string} name */
function removeNamespace(name) {
  const { stdout } = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" });
  for (const pid of stdout.split("\n")) {
    try {
      if (pid !== "") process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  spawnSync("ip", ["netns", "del", name]);
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function run(command, ...args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return stdout;
  const said = error?.message ?? stderr.trim().split("\n").at(-1);
  throw new Error(`${[command, ...args].join(" ")}: ${said}`);
}
