/** What runs in the pages of the browser tests: conec, and the far end of bridge.ts. */
import { Client, ConecError } from "conec";
import { webtransport } from "conec/webtransport";

import { serveBridge } from "./bridge-page.js";

Object.assign(globalThis, { conec: { Client, ConecError, webtransport, serveBridge } });
