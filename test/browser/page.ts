/** What runs in the pages of the browser tests: conec, the far end of bridge.ts, and parties of test/faults. */
import { Client, ConecError } from "../../src/index.ts";
import { webtransport } from "../../src/transports/webtransport/index.ts";
import { receiveAll, sendAll } from "../conformance/load.ts";
import { carryOut } from "../faults/calls.ts";
import { ClientParty } from "../faults/client-party.ts";
import { serveBridge } from "./bridge-page.ts";
import { soak } from "./soak-page.ts";

const parts = { Client, ConecError, webtransport, receiveAll, sendAll, serveBridge, soak, carryOut, ClientParty };
Object.assign(globalThis, { conec: parts });
