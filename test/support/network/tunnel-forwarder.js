/** The process in the middle of a tunnel, see tunnel.js. */
import { DeliveryQueue } from "./delivery-queue.js";
import { PathModel } from "./path-model.js";
import { wrapperBytes } from "./tunnel.js";
import { asDelivered, openSocket } from "./udp-path.js";

/** @import { Socket } from "node:dgram" */
/** @import { Conditions } from "./path-model.js" */

/**
 * @typedef {object} Start
 * @property {{ own: string, other: string }[]} ends Addresses of the cables to a and b: here, and over there.
 * @property {number} port
 * @property {number} seed
 * @property {Conditions} toA
 * @property {Conditions} toB
 */

/** @type {DeliveryQueue<() => void>} */
const queue = new DeliveryQueue((deliver) => deliver());

process.once("message", async (/** @type {Start} */ { ends, port, seed, toA, toB }) => {
  const models = [new PathModel(toA, 2 * seed), new PathModel(toB, 2 * seed + 1)];
  process.on("message", (/** @type {{ toA: Conditions, toB: Conditions }} */ changes) => {
    models[0]?.set(changes.toA);
    models[1]?.set(changes.toB);
  });
  const sockets = await Promise.all(ends.map(({ own }) => bound(own, port)));
  for (const [from, socket] of sockets.entries()) {
    const to = 1 - from;
    const target = /** @type {Socket} */ (sockets[to]);
    const host = /** @type {Start["ends"][0]} */ (ends[to]).other;
    socket.on("message", (packet) => {
      const model = /** @type {PathModel} */ (models[to]);
      for (const delivery of model.decide(performance.now(), packet.length - wrapperBytes)) {
        queue.push(delivery.atMs, () => target.send(asDelivered(packet, delivery), port, host));
      }
    });
  }
  process.send?.("ready");
});
process.once("disconnect", () => process.exit());

/**
 * @param {string} host
 * @param {number} port
 * @returns {Promise<Socket>}
 */
function bound(host, port) {
  const socket = openSocket();
  return new Promise((resolve) => {
    socket.bind(port, host, () => resolve(socket));
  });
}
