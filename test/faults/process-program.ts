/** The program of a process under test: a party, of the kind that is named when it starts, which does what it is told. */
import type { Transport } from "../../src/index.ts";
import { quic } from "../../src/transports/quic/index.ts";
import { websocket } from "../../src/transports/websocket/node/index.ts";
import type { Call } from "./calls.ts";
import { carryOut } from "./calls.ts";
import { ClientParty } from "./client-party.ts";
import type { JoinOptions } from "./client-party.ts";
import { CoordinatorParty } from "./coordinator-party.ts";

const party = process.argv[2] === "coordinator" ? new CoordinatorParty() : new ClientParty(transportFor);

process.on("message", async ({ id, call }: { id: number; call: Call }) => {
  process.send?.({ id, answer: await carryOut(party, call) });
});
process.once("disconnect", () => process.exit());

function transportFor({ hash, idleTimeoutMs, connectTimeoutMs, webSocketPort }: JoinOptions): Transport[] {
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Uint8Array.from(hash) }];
  const overUdp = quic({
    serverCertificateHashes,
    idleTimeoutMs,
    connectTimeoutMs,
    keepAliveIntervalMs: Math.floor(idleTimeoutMs / 3),
  });
  if (webSocketPort === undefined) return [overUdp];
  const overTcp = websocket({ serverCertificateHashes });
  // The path of a test is one for UDP, so its port is not that of the WebSockets behind it.
  const atItsPort: Transport["connect"] = (url, options) => {
    const there = new URL(url);
    there.port = String(webSocketPort);
    return overTcp.connect(there, options);
  };
  return [overUdp, { name: overTcp.name, connect: atItsPort }];
}
