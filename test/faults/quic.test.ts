/** What befalls a Client in Node. The rows are in the folder `rows`. */
import { afterAll } from "vitest";

import { faultTests } from "./fault-tests.ts";
import { PartyProcess } from "./party-process.ts";
import { rows } from "./rows.ts";

afterAll(() => PartyProcess.removeAll());

faultTests({ name: "quic", start: () => PartyProcess.client() }, rows);
