/**
 * The browser's WebSocket: bench/peers/ws.js in a page, as far as W1 needs it. Flow control by hand: a sender looks at
 * `bufferedAmount` again and again; a receiver has none.
 */
const HIGH_WATER_BYTES = 4 << 20;

/** @param {{ role: "a" | "b", port: number }} options */
export async function connect({ role, port }) {
  /** @type {(link: object) => void} */
  let onLink = () => {};
  /** @param {string} path */
  const dial = (path) => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/${path}`);
    socket.binaryType = "arraybuffer";
    return socket;
  };
  if (role === "b") {
    const control = dial("control/b/0");
    // The package sends the id as bytes.
    control.addEventListener("message", ({ data }) => {
      onLink(link(dial(`b/${typeof data === "string" ? data : decode(data)}`)));
    });
    await opened(control);
  }
  return {
    async open() {
      const socket = dial("a/0/0");
      await opened(socket);
      return link(socket);
    },
    /** @param {(link: object) => void} listener */
    onLink: (listener) => void (onLink = listener),
  };
}

/** @param {WebSocket} socket */
function link(socket) {
  return {
    /** @param {() => Uint8Array<ArrayBuffer> | undefined} next */
    async sendAll(next) {
      for (let message = next(); message !== undefined; message = next()) {
        while (socket.bufferedAmount > HIGH_WATER_BYTES) await new Promise((resolve) => setTimeout(resolve, 1));
        socket.send(message);
      }
    },
    /** @param {(message: Uint8Array) => void} listener */
    onMessage(listener) {
      socket.addEventListener("message", ({ data }) => listener(new Uint8Array(data)));
    },
  };
}

/** @param {WebSocket} socket */
function opened(socket) {
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("The WebSocket did not open")));
  });
}

/** @param {ArrayBuffer} data */
function decode(data) {
  return new TextDecoder().decode(data);
}
