/**
 * NATS: the relay is a nats-server, a link a subject. B subscribes to all subjects of its pair (in W6 of all pairs)
 * beforehand, so that opening a link costs nothing.
 *
 * NATS has no backpressure: A waits for `flush`, which says that the server has what was published, not that B has. A
 * subscription that is not read goes on taking in.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "./packages/load.js";

/** Published between two flushes; two may be under way. */
const FLUSH_BYTES = 1 << 20;
const READY = "Server is ready";
const LOG_CHARACTERS = 1 << 16;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host }) {
    const folder = mkdtempSync(join(tmpdir(), "bench-nats-"));
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    writeFileSync(cert, certificate.cert);
    writeFileSync(key, certificate.key, { mode: 0o600 });
    const port = await freePort(host);
    const server = spawn("nats-server", ["-a", host, "-p", String(port), "--tls", "--tlscert", cert, "--tlskey", key], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    process.once("exit", () => server.kill("SIGKILL"));
    let log = "";
    await new Promise((resolve) => {
      // It is read to its end: a server that cannot write its log is ended by that.
      server.stderr.setEncoding("utf8").on("data", (text) => {
        if (log.length < LOG_CHARACTERS) log += text;
        if (log.includes(READY)) resolve(undefined);
      });
      server.once("exit", resolve);
    });
    rmSync(folder, { recursive: true });
    if (!log.includes(READY)) throw new Error(`nats-server did not start: ${log}`);
    return { port, pid: /** @type {number} */ (server.pid) };
  },

  async connect({ role, pair, host, port, certificate, fanOut }) {
    const { connect } = await load("@nats-io/transport-node");
    const connection = await connect({ servers: `${host}:${port}`, tls: { ca: certificate.cert }, reconnect: false });
    // The server cuts off whoever does not keep up: messages are lost, and the run with them.
    void connection.closed().then((/** @type {Error | undefined} */ error) => {
      throw error ?? new Error("nats-server closed the connection, as it does with a slow reader");
    });
    /** @type {Map<string, SubjectLink>} */
    const links = new Map();
    /** @type {(link: SubjectLink) => void} */
    let onLink = () => {};
    const from = role === "a" ? "b" : "a";
    const subscription = connection.subscribe(`${from}.${fanOut ? "*" : pair}.*`);
    void (async () => {
      for await (const message of subscription) {
        const name = String(message.subject.slice(2));
        let link = links.get(name);
        if (link === undefined) {
          links.set(name, (link = new SubjectLink(connection, `${role}.${name}`)));
          onLink(link);
        }
        link.receive(message.data);
        // The way to stand still is not to take the next one.
        if (link.resumed !== undefined) await link.resumed;
      }
    })();
    await connection.flush();
    return {
      async open() {
        const name = `${pair}.${links.size}`;
        const link = new SubjectLink(connection, `${role}.${name}`);
        links.set(name, link);
        return link;
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/** A Link. */
class SubjectLink {
  /** @type {Promise<void> | undefined} */
  resumed;
  resume = () => {};
  #connection;
  #subject;
  /** @type {(message: Uint8Array) => void} */
  #listener = () => {};

  /**
   * @param {any} connection
   * @param {string} subject
   */
  constructor(connection, subject) {
    this.#connection = connection;
    this.#subject = subject;
  }

  /** @param {Uint8Array} message */
  send(message) {
    this.#connection.publish(this.#subject, message);
  }

  /** @param {() => Uint8Array | undefined} next */
  async sendAll(next) {
    let bytes = 0;
    let flushed = this.#connection.flush();
    for (let message = next(); message !== undefined; message = next()) {
      this.send(message);
      bytes += message.length;
      if (bytes < FLUSH_BYTES) continue;
      bytes = 0;
      await flushed;
      flushed = this.#connection.flush();
    }
    await this.#connection.flush();
  }

  /** @param {(message: Uint8Array) => void} listener */
  onMessage(listener) {
    this.#listener = listener;
  }

  close() {}

  pause() {
    this.resumed = new Promise((resolve) => {
      this.resume = () => {
        this.resumed = undefined;
        resolve();
      };
    });
  }

  /** @param {Uint8Array} message */
  receive(message) {
    this.#listener(message);
  }
}

/** @param {string} host */
async function freePort(host) {
  const server = net.createServer().listen(0, host);
  await once(server, "listening");
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
