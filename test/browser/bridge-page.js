/** The page's side of bridge.ts: carries out on real connections what comes over a WebSocket. */
import { webtransport } from "conec/webtransport";

/** @typedef {{ id: number, op: string, target: number, [name: string]: unknown }} Call */

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** @param {string} url of the WebSocket */
export function serveBridge(url) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  /** @type {Map<number, any>} Connections, readers and writers. */
  const things = new Map();
  let lastId = 0;

  /** @param {object} header @param {Uint8Array} [payload] */
  function send(header, payload = new Uint8Array(0)) {
    const head = encoder.encode(JSON.stringify(header));
    const frame = new Uint8Array(4 + head.length + payload.length);
    new DataView(frame.buffer).setUint32(0, head.length);
    frame.set(head, 4);
    frame.set(payload, 4 + head.length);
    if (socket.readyState === WebSocket.OPEN) socket.send(frame);
  }

  /** @param {unknown} thing */
  function add(thing) {
    lastId += 1;
    things.set(lastId, thing);
    return lastId;
  }

  /** @param {ReadableStream<Uint8Array>} readable */
  const addReadable = (readable) => add(readable.getReader());
  /** @param {WritableStream<Uint8Array>} writable */
  function addWritable(writable) {
    const writer = writable.getWriter();
    const target = add(writer);
    writer.closed.catch((/** @type {unknown} */ error) =>
      send({ event: "writable-error", target, error: plain(error) }),
    );
    return target;
  }
  /** @param {{ readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array> }} stream */
  const addBoth = ({ readable, writable }) => ({ readable: addReadable(readable), writable: addWritable(writable) });

  /** @type {Record<string, (call: any, payload: Uint8Array) => Promise<any>>} */
  const operations = {
    async connect({ url, hash }) {
      const value = Uint8Array.from(hash);
      const transport = webtransport({ serverCertificateHashes: [{ algorithm: "sha-256", value }] });
      const connection = await transport.connect(url);
      const target = add(connection);
      connection.closed.then(
        (info) => send({ event: "closed", target, info }),
        (error) => send({ event: "closed", target, error: plain(error) }),
      );
      const bidirectional = add(connection.incomingBidirectionalStreams.getReader());
      const unidirectional = add(connection.incomingUnidirectionalStreams.getReader());
      return { target, bidirectional, unidirectional, remote: connection.remote };
    },
    createBidirectional: async ({ target }) => addBoth(await things.get(target).createBidirectionalStream()),
    createUnidirectional: async ({ target }) => addWritable(await things.get(target).createUnidirectionalStream()),
    async takeBidirectional({ target }) {
      const { value, done } = await things.get(target).read();
      return done ? undefined : addBoth(value);
    },
    async takeUnidirectional({ target }) {
      const { value, done } = await things.get(target).read();
      return done ? undefined : addReadable(value);
    },
    async read({ target }) {
      const { value, done } = await things.get(target).read();
      return done ? undefined : value;
    },
    write: ({ target, text }, payload) => things.get(target).write(text ?? payload),
    endWritable: ({ target }) => things.get(target).close(),
    abort: ({ target, reason }) => things.get(target).abort(reasonOf(reason)),
    cancel: ({ target, reason }) => things.get(target).cancel(reasonOf(reason)),
    close: async ({ target, info }) => things.get(target).close(info),
    getStats: ({ target }) => things.get(target).getStats(),
  };

  socket.addEventListener("message", async ({ data }) => {
    const length = new DataView(data).getUint32(0);
    /** @type {Call} */
    const call = JSON.parse(decoder.decode(new Uint8Array(data, 4, length)));
    try {
      const value = await operations[call.op]?.(call, new Uint8Array(data, 4 + length));
      if (value instanceof Uint8Array) send({ id: call.id, isBytes: true }, value);
      else send({ id: call.id, value });
    } catch (error) {
      send({ id: call.id, error: plain(error) });
    }
  });
}

/** @param {any} error */
function plain({ name, code, message, source, remote, streamErrorCode }) {
  return { name, code, message, source, remote, streamErrorCode };
}

/** @param {{ message?: string, streamErrorCode?: string } | undefined} reason */
function reasonOf(reason) {
  if (reason === undefined) return undefined;
  const { message, streamErrorCode } = reason;
  const code = streamErrorCode === undefined ? {} : { streamErrorCode: Number(streamErrorCode) };
  return Object.assign(new Error(message), code);
}
