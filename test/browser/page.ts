/** What runs in the pages of the browser tests: conec, and the far end of bridge.ts. */
import { Client, ConecError } from "../../src/index.ts";
import { webtransport } from "../../src/transports/webtransport/index.ts";
import { receiveAll, sendAll } from "../conformance/load.ts";
import { serveBridge } from "./bridge-page.ts";
import { soak } from "./soak-page.ts";

Object.assign(globalThis, { conec: { Client, ConecError, webtransport, receiveAll, sendAll, serveBridge, soak } });
