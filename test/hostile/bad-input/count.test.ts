import { expect, test } from "vitest";
import { apiMisuses } from "./api-cases.ts";
import { channelState, halfOpen } from "./channel-cases.ts";
import { controlFraming, dataFraming } from "./framing-cases.ts";
import { http3Inputs } from "./http3-cases.ts";
import { isolation, isolationWithFewStreams } from "./isolation-cases.ts";
import { elsewhere, joining, silence } from "./joining-cases.ts";
import { metadataAndNames } from "./metadata-cases.ts";

/** The bad inputs by level. Those of packets and frames of QUIC: test/hostile/attacks. */
const levels: Record<string, readonly { 0: string }[]> = {
  framing: [...controlFraming.cases, ...dataFraming.cases],
  handshake: [...joining.cases, ...elsewhere.cases, ...silence.cases],
  "channel state": [...channelState.cases, ...halfOpen.cases],
  isolation: [...isolation.cases, ...isolationWithFewStreams.cases],
  metadata: metadataAndNames.cases,
  API: apiMisuses,
  "HTTP/3 and WebTransport": http3Inputs,
};

test.each(Object.entries(levels))("%s: no case has the name of another", (_, cases) => {
  const names = cases.map(({ 0: name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test("how many there are", () => {
  const counts = Object.entries(levels).map(([level, { length }]) => [level, length] as const);
  const sum = counts.reduce((total, [, count]) => total + count, 0);
  console.log(`Bad inputs: ${counts.map((each) => each.join(" ")).join(", ")}; ${sum} in all`);
  expect(Math.min(...counts.map(([, count]) => count))).toBeGreaterThan(5);
});
