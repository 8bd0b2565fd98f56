/**
 * All links of an end on one link of its peer: what programs do that keep to one connection. Each message has a byte in
 * front that says whose it is.
 * @param {import("../peers.js").End} end
 * @returns {import("../peers.js").End}
 */
export function sharedLinks(end) {
  /** @type {Promise<import("../peers.js").Link> | undefined} */
  let carrier;
  let links = 0;
  return {
    async open() {
      carrier ??= end.open();
      return link(await carrier, links++);
    },
    onLink(onLink) {
      end.onLink((one) => {
        /** @type {((message: Uint8Array) => void)[]} */
        const listeners = [];
        one.onMessage((message) => {
          const number = message[0] ?? 0;
          if (listeners[number] === undefined) {
            const onMessage = (/** @type {(message: Uint8Array) => void} */ listener) =>
              void (listeners[number] = listener);
            onLink({ ...link(one, number), onMessage });
          }
          listeners[number]?.(message.subarray(1));
        });
      });
    },
  };
}

/**
 * @param {import("../peers.js").Link} carrier
 * @param {number} number
 * @returns {import("../peers.js").Link}
 */
function link(carrier, number) {
  /** @param {Uint8Array} message */
  const marked = (message) => {
    const bytes = Buffer.allocUnsafe(1 + message.length);
    bytes[0] = number;
    bytes.set(message, 1);
    return bytes;
  };
  return {
    send: (message) => carrier.send(marked(message)),
    sendAll: (next) =>
      carrier.sendAll(() => {
        const message = next();
        return message && marked(message);
      }),
    onMessage: () => {},
    close: () => {},
  };
}
