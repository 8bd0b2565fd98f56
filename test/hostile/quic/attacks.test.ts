import type { Attack } from "./attack.ts";
import { clientAttacks } from "./client-attacks.ts";
import { datagramAttacks } from "./datagram-attacks.ts";
import { frameAttacks } from "./frame-attacks.ts";
import { handshakeAttacks } from "./handshake-attacks.ts";
import { underAttack } from "./under-attack.ts";

/** Every fault of the engine that a client could use is here, and whatever else somebody may try. */
const attacks: Attack[] = [...frameAttacks, ...datagramAttacks, ...handshakeAttacks, ...clientAttacks];

underAttack("a Coordinator under attack, while honest Clients use it", attacks);
