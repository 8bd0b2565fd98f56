/**
 * What the project holds itself to. A row that did not run decides nothing.
 * @type {Target[]}
 */
export const targets = [
  { workload: "W1", row: "conec", against: "ws", atLeast: 1.2 },
  { workload: "W1", row: "conec", against: "iroh", atLeast: 1 }, // the best QUIC peer with backpressure
  { kinds: ["mtu1500"], workload: "W1", row: "conec", against: "bare-loop", atLeast: 1 },
  { kinds: ["mtu1500"], workload: "W1", row: "conec", against: "ws", atLeast: 1 },
  { workload: "W2", row: "conec-streams", against: "ws", atLeast: 1.5 },
  { kinds: ["loopback-current-node"], workload: "W2", row: "conec-streams", against: "ws", atLeast: 3 },
  { workload: "W2", row: "conec-streams", against: "libp2p", atLeast: 10 },
  { workload: "W3", row: "conec", against: "ws", atMost: 1 },
  { workload: "W3", row: "conec", figure: "p99", against: "ws", atMost: 1 },
  { workload: "W4", row: "conec", against: "best", atMost: 0.5 },
  { workload: "W5", row: "conec", atMost: 60 },
  { workload: "W5", row: "conec-channels", figure: "link", atMost: 10, text: "KB a channel" },
  { workload: "W5", row: "conec", figure: "link", atMost: 4, text: "KB a stream" },
  { workload: "W7", row: "conec", atMost: 20 },
  { workload: "W7", row: "conec", figure: "flat", atMost: 1.3, text: "× the cost at 10 pairs" },
  { workload: "W9", row: "conec", atLeast: 20 },
  { workload: "W9", row: "conec", against: "ws", atLeast: 1 },
  { workload: "W9-lossy", row: "conec", against: "ws", atLeast: 1 },
  { workload: "stalled", row: "conec", atMost: 2 },
];

/**
 * @typedef {object} Target
 * @property {string[]} [kinds] Of runs; else on loopback, on the Node that starts the bench.
 * @property {string} workload
 * @property {string} row
 * @property {string} [figure] Else the workload's own.
 * @property {string} [against] A row by whose figure it is divided, or "best": the best alternative. Else as it is.
 * @property {number} [atLeast]
 * @property {number} [atMost]
 * @property {string} [text] The unit of a figure that is not the workload's own.
 */
