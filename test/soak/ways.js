/** How a Client gets to the Coordinator, over each transport, so that its way can be cut. */
import { listen, memory } from "conec/memory";
import { quic } from "conec/quic";
import { websocket } from "conec/websocket";
import { Wire } from "./wire.js";

/** @import { Coordinator, Transport } from "conec" */
/** @import { Random } from "./random.js" */

/** @typedef {"quic" | "websocket" | "mixed" | "memory"} TransportName `mixed`: both, whichever gets through. */
/** @typedef {{ port: number, hash: string }} Address Where the Coordinator listens, and the SHA-256 of its certificate, in hex. */
/** @typedef {Pick<Wire, "silence" | "lose" | "heal" | "rebind" | "reset" | "close">} Way */
/** @typedef {{ url: string, transport: Transport | Transport[], way: Way }} Access */

/**
 * @param {Exclude<TransportName, "memory">} name
 * @param {Address} address
 * @param {{ random: Random, idleTimeoutMs: number }} options
 * @returns {Promise<Access>}
 */
export async function openWire(name, { port, hash }, { random, idleTimeoutMs }) {
  const way = await Wire.open(port, random);
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Buffer.from(hash, "hex") }];
  const keepAliveIntervalMs = Math.ceil(idleTimeoutMs / 4);
  const options = { serverCertificateHashes, idleTimeoutMs, keepAliveIntervalMs, connectTimeoutMs: 5000 };
  const transports = { quic: [quic(options)], websocket: [websocket(options)], mixed: [quic(options), websocket(options)] };
  return { url: `https://127.0.0.1:${way.port}`, transport: transports[name], way };
}

/** Within this process: there, a way that is silent is lost at once. @param {Coordinator} coordinator @returns {Promise<Access>} */
export async function openMemory(coordinator) {
  const listener = await listen();
  coordinator.serve(listener);
  const cut = () => listener.cut();
  const way = { silence: cut, reset: cut, rebind: cut, lose() {}, heal() {}, close: () => listener.close() };
  return { url: `https://localhost:${listener.address.port}`, transport: memory(), way };
}
