/** What runs in the pages of the browser tests: conec, the far end of bridge.ts, and parties of test/faults. */
import { Client, ConecError } from "../../src/index.ts";
import { webtransport } from "../../src/transports/webtransport/index.ts";
import { carryOut } from "../faults/calls.ts";
import { ClientParty } from "../faults/client-party.ts";
import { serveBridge } from "./bridge-page.ts";
import { soak } from "./soak-page.ts";

Object.assign(globalThis, { conec: { Client, ConecError, webtransport, serveBridge, soak, carryOut, ClientParty } });
