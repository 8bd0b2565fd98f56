/** A path for everything: what two namespaces send to each other, TCP included, goes through a model of ours. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** @import { ChildProcess } from "node:child_process" */
/** @import { Conditions } from "./path-model.js" */
/** @import { Namespace, Namespaces } from "./namespaces.js" */

/**
 * @typedef {object} TunnelOptions
 * @property {Conditions} [toA] What happens to packets; their sizes are those of IP, headers included. Default: nothing.
 * @property {Conditions} [toB]
 * @property {number} [seed] Default 0.
 * @property {number} [mtu] Of the packets in it. Default 1500.
 */

const program = fileURLToPath(new URL("tunnel-forwarder.js", import.meta.url));

/** VXLAN puts so many bytes around a packet: its own header, and that of an Ethernet frame (RFC 7348, section 5). */
export const wrapperBytes = 8 + 14;

/** Beyond that, headers of IPv4 and UDP. */
const cableMtu = (/** @type {number} */ mtu) => mtu + wrapperBytes + 28;

const vxlanPort = 4789;

let tunnels = 0;

/**
 * Joins two namespaces by a path with conditions. The kernel wraps each packet into a UDP datagram (VXLAN), which a process
 * between the two holds back, loses or changes as `PathModel` decides. So a peer over TCP and one over QUIC meet exactly the
 * same. It carries about 60 MB/s at an MTU of 1500 where it has a core for itself.
 */
export class Tunnel {
  /** Where `b` finds `a`. */
  a;
  /** Where `a` finds `b`. */
  b;
  #process;

  /**
   * @param {Namespaces} namespaces
   * @param {Namespace} a
   * @param {Namespace} b
   * @param {TunnelOptions} [options]
   */
  static async open(namespaces, a, b, { toA = {}, toB = {}, seed = 0, mtu = 1500 } = {}) {
    const number = (tunnels += 1);
    const between = namespaces.add(`tunnel${number}`);
    const hosts = { a: `10.214.${number}.1`, b: `10.214.${number}.2` };
    /** @type {{ own: string, other: string }[]} */
    const ends = [];
    for (const [end, host] of /** @type {const} */ ([
      [a, hosts.a],
      [b, hosts.b],
    ])) {
      const cable = namespaces.connect(between, end, { mtu: cableMtu(mtu) });
      const name = `tunnel${number}`;
      const ports = ["dstport", vxlanPort, "srcport", vxlanPort, vxlanPort + 1].map(String);
      const where = ["local", cable.b, "remote", cable.a, "dev", /** @type {string} */ (end.cables.at(-1))];
      end.run("ip", "link", "add", name, "type", "vxlan", "id", String(number), ...ports, ...where, "nolearning");
      end.run("ip", "link", "set", name, "mtu", String(mtu), "gso_max_segs", "1", "up");
      end.run("ip", "addr", "add", `${host}/24`, "dev", name);
      // Linux leaves checksums to the last network card, and here there is none.
      const fill = ["-o", name, "-j", "CHECKSUM", "--checksum-fill"];
      end.run("iptables", "-w", "-t", "mangle", "-A", "POSTROUTING", ...fill);
      ends.push({ own: cable.a, other: cable.b });
    }
    const child = between.spawn(process.execPath, [program], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.send({ ends, port: vxlanPort, seed, toA, toB });
    await once(child, "message");
    return new Tunnel(child, hosts);
  }

  /**
   * @private
   * @param {ChildProcess} child
   * @param {{ a: string, b: string }} hosts
   */
  constructor(child, { a, b }) {
    this.#process = child;
    this.a = a;
    this.b = b;
  }

  /**
   * Changes conditions, from a moment later on.
   *
   * @param {{ toA?: Conditions, toB?: Conditions }} changes
   */
  set({ toA = {}, toB = {} }) {
    this.#process.send({ toA, toB });
  }

  /** To be called before the namespaces are removed. */
  async close() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
