/**
 * What the project holds itself to, as ratios within one run of the bench. A row that did not run decides nothing.
 * @type {Target[]}
 */
export const targets = [
  { workload: "W1", row: "conec-1350", against: "bare-loop", atLeast: 0.9 },
  { workload: "W1", row: "conec-1350", against: "binding-classes", atLeast: 40 },
  { workload: "W1", row: "conec", against: "ws", atLeast: 0.9 },
  { workload: "W2", row: "conec", against: "ws", atLeast: 1.0 },
  { workload: "W2", row: "conec-streams", against: "ws", atLeast: 1.0 },
  { workload: "W3", row: "conec", against: "ws", atMost: 1.5 },
  { workload: "W4", row: "conec", against: "ws", atMost: 0.2 },
];

/** @typedef {{ workload: string, row: string, against: string, atLeast?: number, atMost?: number }} Target */
