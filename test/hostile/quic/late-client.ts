/**
 * An honest Client that comes while others attack, in a process of its own: what it takes is not what the attack costs its
 * attacker. Started by late-client-process.ts.
 */
import { next } from "../../support/hub.ts";
import { isMessage, message } from "../../support/messages.ts";
import { answering } from "./answering.ts";
import { honestClient } from "./honest-client.ts";
import type { Target } from "./target.ts";

answering({}, comeAndTransfer);

/** Dials from an address of its own, sends something and gets it back. Resolves with how long that took, in milliseconds. */
async function comeAndTransfer(target: Target): Promise<number> {
  const started = performance.now();
  const client = await honestClient(target, { id: "late", localAddress: "127.9.8.7" });
  const writer = (await client.coordinator.createUnidirectionalStream({ name: "late" })).getWriter();
  await writer.write(message(1, 100_000));
  const closing = writer.close();
  const { value } = await (await next(client.coordinator.incomingUnidirectionalStreams)).getReader().read();
  const tookMs = performance.now() - started;
  await closing;
  await client.close();
  if (!isMessage(value!, 1, 100_000)) throw new Error("Something else came back");
  return tookMs;
}
