import { deframer, frame, inBatches } from "../framing.js";

/**
 * A link that is one of Node's duplex streams. Flow control is the stream's own. Much that is small is packed by hand: who
 * frames by hand can do that too.
 * @param {import("node:stream").Duplex} stream
 * @param {boolean} bulk Without marks between messages.
 * @returns {import("../peers.js").Link}
 */
export function byteLink(stream, bulk) {
  return {
    send: (message) => void stream.write(bulk ? message : frame(message)),
    async sendAll(next) {
      const take = bulk ? next : inBatches(next);
      for (let bytes = take(); bytes !== undefined; bytes = take()) {
        if (!stream.write(bytes)) {
          await new Promise((resolve) => stream.once("drain", () => resolve(undefined)));
        }
      }
    },
    onMessage: (listener) => void stream.on("data", bulk ? listener : deframer(listener)),
    close: () => stream.end(),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  };
}
