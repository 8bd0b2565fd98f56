import { authorityOf } from "../../src/core/client-proof.ts";
import { ControlStream } from "../../src/core/control-stream.ts";
import { join } from "../../src/core/joining.ts";
import { generateKeyPair, publicKeyOf } from "../../src/core/key-pair.ts";
import type { BidirectionalStream, Connection } from "../../src/index.ts";

/** A Client without a `Client`: joins over a connection, and gives the control stream of its own channel. */
export async function joinByHand(connection: Connection, url: string, id: string): Promise<ControlStream> {
  const control = await openControlStream(connection);
  const keyPair = await generateKeyPair();
  const who = { keyPair, publicKey: await publicKeyOf(keyPair), id, credentials: undefined };
  await join(control, { ...who, authority: authorityOf(url), server: connection.server, timeoutMs: 5_000 });
  return control;
}

export async function openControlStream(connection: Connection): Promise<ControlStream> {
  return controlStreamOn(await connection.createBidirectionalStream());
}

export function controlStreamOn({ readable, writable }: BidirectionalStream): ControlStream {
  return new ControlStream({ reader: readable.getReader(), writer: writable.getWriter() });
}
