import { setImmediate } from "node:timers/promises";

import { isSpeedMeasured } from "../speed-report.ts";
import type { Attack } from "./attack.ts";
import { clientAttacks } from "./client-attacks.ts";
import { datagramAttacks } from "./datagram-attacks.ts";
import { frameAttacks } from "./frame-attacks.ts";
import { handshakeAttacks } from "./handshake-attacks.ts";
import { underAttack } from "./under-attack.ts";

/** Every fault of the engine that a client could use is here, and whatever else somebody may try. */
const attacks: Attack[] = [...frameAttacks, ...datagramAttacks, ...handshakeAttacks, ...clientAttacks];

/** Attackers share the machine with those whom they attack. */
const comparison: Attack = {
  name: "for comparison: a process that uses a core and sends nothing",
  run: async () => {
    const untilMs = performance.now() + 20;
    while (performance.now() < untilMs);
    await setImmediate();
  },
};

underAttack(
  "a Coordinator under attack, while honest Clients use it",
  isSpeedMeasured ? [comparison, ...attacks] : attacks,
);
