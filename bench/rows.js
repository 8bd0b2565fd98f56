/**
 * The rows of the tables.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} file In bench/peers.
 * @property {"conec" | "alternative" | "limit"} kind A limit is what a loop without a library reaches: no choice for users.
 * @property {string} about One line for the reader of the table: how it is driven, and what turns the comparison.
 * @property {import("./peers.js").RowOptions} options
 * @property {string[]} workloads
 * @property {string[]} [quick] Only these with --quick.
 * @property {boolean} [whenNamed] With --quick only if --peers names it.
 * @property {string[]} [packages] Of bench/peers/package.json, to be installed.
 * @property {string} [program] To be installed by hand.
 * @property {boolean} [isolated] Runs only where nothing leads out of the network: it would call on servers of its makers.
 * @property {boolean} [wholeMessages] Bulk arrives as whole messages; without it as a byte stream, pieces of any size.
 * @property {boolean} [slow] Gets the small amounts of work.
 * @property {string[]} [compare] Rows, besides ws, that this one is divided by.
 */

const BASIC = ["W1", "W2", "W3", "W4"];
const PATHS = ["W8", "W9", "W9-lossy"];

/**
 * In the order in which they run. Rows that are compared with each other stand side by side, so that they meet the
 * machine in the same state.
 * @type {Row[]}
 */
export const rows = [
  {
    name: "ws",
    file: "ws.js",
    kind: "alternative",
    about: "WebSocket over TLS, no compression; flow control by hand, with pause() and bufferedAmount: the baseline",
    options: {},
    workloads: [...BASIC, "W5", "W6", "W7", ...PATHS, "stalled"],
    wholeMessages: true,
  },
  {
    name: "ws-bufferutil",
    file: "ws.js",
    kind: "alternative",
    about: "ws with its native addon for masking",
    options: { bufferutil: true },
    workloads: ["W1", "W2", "W3", "W6"],
    packages: ["ws", "bufferutil"],
    wholeMessages: true,
  },
  {
    name: "ws-batched",
    file: "ws.js",
    kind: "alternative",
    about: "the same, and up to 64 KiB of small messages packed by hand into one of ws",
    options: { bufferutil: true, batched: true },
    workloads: ["W2"],
    packages: ["ws", "bufferutil"],
    wholeMessages: true,
  },
  {
    name: "ws-one",
    file: "ws.js",
    kind: "alternative",
    about: "both flows on one connection pair, told apart by a byte in front; at most 64 KiB wait in a connection",
    options: { oneConnection: true },
    workloads: ["W8"],
    wholeMessages: true,
  },
  {
    name: "ws-bbr",
    file: "ws.js",
    kind: "alternative",
    about: "ws where the administrators of both machines have chosen BBR; all other TCP is cubic, Linux's default",
    options: { bbr: true },
    workloads: PATHS,
    wholeMessages: true,
  },
  {
    name: "conec",
    file: "conec.js",
    kind: "conec",
    about: "default settings; tryWrite and tryRead, waiting only when they say no",
    options: {},
    workloads: [...BASIC, "W5", "W6", "W7", ...PATHS, "stalled"],
    wholeMessages: true,
    compare: ["bare-loop-16k", "http3", "iroh", "libp2p"],
  },
  {
    name: "conec-streams",
    file: "conec.js",
    kind: "conec",
    about: "default settings; plain web streams: ready + write, for await",
    options: { plainStreams: true },
    workloads: ["W1", "W2"],
    wholeMessages: true,
    compare: ["libp2p"],
  },
  {
    name: "conec-channels",
    file: "conec.js",
    kind: "conec",
    about: "a new channel for each link: A asks the Coordinator's program, which introduces A and B once more",
    options: { channels: true },
    whenNamed: true,
    workloads: ["W4", "W5"],
    wholeMessages: true,
  },
  {
    name: "conec-websocket",
    file: "conec.js",
    kind: "conec",
    about: "over WebSocket, the transport for networks without UDP",
    options: { websocket: true },
    whenNamed: true,
    workloads: [...BASIC, "W8", "W9", "stalled"],
    wholeMessages: true,
  },
  {
    name: "tls",
    file: "tls.js",
    kind: "alternative",
    about: "plain TLS and pipe(); bulk without framing, else 4-byte lengths, in W2 packed by hand",
    options: {},
    workloads: [...BASIC, "W5", "W7", "W9", "stalled"],
  },
  {
    name: "http2",
    file: "http2.js",
    kind: "alternative",
    about: "Node's http2, a stream each link, windows of 4 MiB; W2 packed by hand",
    options: {},
    whenNamed: true,
    workloads: [...BASIC, "W5", "W7", ...PATHS, "stalled"],
  },
  {
    name: "socket.io",
    file: "socket-io.js",
    kind: "alternative",
    about: "WebSocket only, no polling; it has no backpressure: the bench lets A wait for acknowledgements, by hand",
    options: {},
    workloads: ["W1", "W2", "W3", "W5", "W6", "W7", "stalled"],
    packages: ["socket.io", "socket.io-client"],
    wholeMessages: true,
  },
  {
    name: "nats",
    file: "nats.js",
    kind: "alternative",
    about: "nats-server, a subject each link; it has no backpressure from the reader: A waits for flush()",
    options: {},
    workloads: [...BASIC, "W5", "W6", "W7", "stalled"],
    packages: ["@nats-io/transport-node"],
    program: "nats-server",
    wholeMessages: true,
  },
  {
    name: "libp2p",
    file: "libp2p.js",
    kind: "alternative",
    about:
      "js-libp2p, circuit relay v2 without limits, TCP + noise + yamux; encrypts end to end as well; 4-byte lengths",
    options: {},
    workloads: [...BASIC, "W5", "stalled"],
    packages: ["libp2p", "@libp2p/tcp", "@libp2p/noise", "@libp2p/yamux", "@libp2p/circuit-relay-v2"],
  },
  {
    name: "libp2p-batched",
    file: "libp2p.js",
    kind: "alternative",
    about: "the same, small messages packed by hand into 64 KiB writes",
    options: { batched: true },
    workloads: ["W2"],
    packages: ["libp2p", "@libp2p/tcp", "@libp2p/noise", "@libp2p/yamux", "@libp2p/circuit-relay-v2"],
  },
  {
    name: "iroh",
    file: "iroh.js",
    kind: "alternative",
    about:
      "iroh 0.35, a native addon that sends ten segments a system call; R forwards in JavaScript; W2 packed by hand",
    options: {},
    workloads: [...BASIC, "W5", ...PATHS, "stalled"],
    packages: ["@number0/iroh"],
    isolated: true,
  },
  {
    name: "http3",
    file: "http3.js",
    kind: "alternative",
    about: "@currentspace/http3, raw QUIC in threads of its own; no backpressure from the reader; W2 packed by hand",
    options: {},
    workloads: [...BASIC, "W5", ...PATHS, "stalled"],
    packages: ["@currentspace/http3"],
  },
  {
    name: "bare-loop-16k",
    file: "bare-loop.js",
    kind: "limit",
    about: "the bare loop with 16000-byte datagrams",
    options: { maxDatagramBytes: 16000 },
    workloads: BASIC,
  },
  {
    name: "bare-loop",
    file: "bare-loop.js",
    kind: "limit",
    about: "a loop over the QUIC binding, 1350-byte datagrams; bulk without framing, W2 batched by hand",
    options: { maxDatagramBytes: 1350 },
    workloads: [...BASIC, "W5", "W9", "W9-lossy", "stalled"],
  },
  {
    name: "conec-1350",
    file: "conec.js",
    kind: "conec",
    about: "conec with maxDatagramBytes: 1350",
    options: { maxDatagramBytes: 1350 },
    workloads: BASIC,
    wholeMessages: true,
    compare: ["bare-loop", "binding-classes"],
  },
  {
    name: "binding-classes",
    file: "binding-classes.js",
    kind: "alternative",
    about: "@matrixai/quic's own QUICClient, QUICServer, QUICStream; gets less work, being slow",
    options: {},
    workloads: BASIC,
    quick: ["W1"],
    slow: true,
  },
  {
    name: "udp",
    file: "udp.js",
    kind: "limit",
    about: "the floor: node:dgram, 1350-byte datagrams, no encryption, no repair; a window by hand, W2 packed by hand",
    options: { maxDatagramBytes: 1350 },
    whenNamed: true,
    workloads: ["W1", "W2", "W3"],
  },
  {
    name: "udp-16k",
    file: "udp.js",
    kind: "limit",
    about: "the same with 16000-byte datagrams",
    options: { maxDatagramBytes: 16000 },
    whenNamed: true,
    workloads: ["W1", "W2"],
  },
];
