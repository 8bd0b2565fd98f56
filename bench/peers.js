/**
 * The interface that every peer implements, and the rows of the table.
 *
 * A peer file holds only what is special to it: how A, R and B are connected, how a logical link A→R→B is opened,
 * and how messages are sent on it under the peer's own flow control. What is sent, checked and measured stands in
 * workloads.js, once for all.
 */

/**
 * What `peers/<file>` exports as `peer`.
 * @typedef {object} Peer
 * @property {(options: RelayOptions) => Promise<{ port: number }>} relay
 *   Runs in process R: listens on 127.0.0.1 and joins the two ends.
 * @property {(options: ConnectOptions) => Promise<End>} connect
 *   Runs in processes A and B, at the same time: resolves when this end is connected with the relay.
 */

/**
 * @typedef {object} RelayOptions
 * @property {Certificate} certificate
 * @property {RowOptions} options
 */

/**
 * @typedef {object} ConnectOptions
 * @property {"a" | "b"} role
 * @property {number} port The relay's.
 * @property {Certificate} certificate The relay's, to be trusted.
 * @property {boolean} bulk True for W1, where a peer that moves bytes need not mark message boundaries.
 * @property {RowOptions} options
 */

/**
 * A connected end. A opens links, B is told of them.
 * @typedef {object} End
 * @property {() => Promise<Link>} open Opens a new logical link to B: a stream, a channel or a connection pair.
 * @property {(listener: (link: Link) => void) => void} onLink Calls back for every link that A opened.
 */

/**
 * One logical two-way link A→R→B.
 * @typedef {object} Link
 * @property {(message: Uint8Array) => void} send
 *   Sends one message at once, without flow control: the caller has one message under way at most.
 * @property {(next: () => Uint8Array | undefined) => Promise<void>} sendAll
 *   Takes messages from `next` until it returns undefined and sends them, as fast as the peer's own flow control
 *   lets it. Each message is a buffer of its own that nobody writes to again.
 * @property {(listener: (message: Uint8Array) => void) => void} onMessage
 *   Calls back for each message in order (in W1, for each piece of the byte stream where boundaries are not marked).
 *   The bytes may be reused after the call.
 * @property {() => void} close Ends the link; called by A only.
 */

/** @typedef {{ cert: string, key: string, hash: Uint8Array<ArrayBuffer> }} Certificate PEM, PEM, SHA-256 of the DER certificate. */

/** @typedef {{ maxDatagramBytes?: number, plainStreams?: boolean }} RowOptions What differs between rows of one file. */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} file In bench/peers.
 * @property {string} about One line for the reader of the table.
 * @property {RowOptions} options
 * @property {boolean} [wholeMessages] W1 arrives as whole messages; without it as a byte stream, pieces of any size.
 * @property {boolean} [slow] Gets the small amounts of work in workloads.js.
 * @property {string[]} [workloads] Only these; all when absent.
 * @property {string[]} [quickWorkloads] Only these with --quick; as `workloads` when absent.
 * @property {string[]} [compare] Rows, besides ws, that this one is divided by.
 */

/**
 * In the order in which they run. Rows that are compared with each other stand side by side, so that they meet the
 * machine in the same state.
 * @type {Row[]}
 */
export const rows = [
  {
    name: "ws",
    file: "ws.js",
    about: "WebSocket over TLS, flow control by pause() and bufferedAmount: the baseline",
    options: {},
    wholeMessages: true,
  },
  {
    name: "conec",
    file: "conec.js",
    about: "default settings; tryWrite and tryRead, waiting only when they say no",
    options: {},
    wholeMessages: true,
    compare: ["bare-loop-16k"],
  },
  {
    name: "conec-streams",
    file: "conec.js",
    about: "default settings; plain web streams: ready + write, for await",
    options: { plainStreams: true },
    wholeMessages: true,
    workloads: ["W1", "W2"],
  },
  {
    name: "tls",
    file: "tls.js",
    about: "plain TLS pipe; W1 without framing, else 4-byte lengths",
    options: {},
  },
  {
    name: "bare-loop-16k",
    file: "bare-loop.js",
    about: "the bare loop with 16000-byte datagrams",
    options: { maxDatagramBytes: 16000 },
  },
  {
    name: "bare-loop",
    file: "bare-loop.js",
    about: "a loop over the QUIC binding, 1350-byte datagrams; W1 without framing, W2 batched by hand",
    options: { maxDatagramBytes: 1350 },
  },
  {
    name: "conec-1350",
    file: "conec.js",
    about: "conec with maxDatagramBytes: 1350",
    options: { maxDatagramBytes: 1350 },
    wholeMessages: true,
    compare: ["bare-loop", "binding-classes"],
  },
  {
    name: "binding-classes",
    file: "binding-classes.js",
    about: "@matrixai/quic's own QUICClient, QUICServer, QUICStream; gets less work, being slow",
    options: {},
    slow: true,
    quickWorkloads: ["W1"],
  },
];
