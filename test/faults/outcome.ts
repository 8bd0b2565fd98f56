/**
 * How a program sees what comes of a fault. The rows speak of outcomes by the names here, so what changes in how conec tells
 * its programs of a loss changes here and nowhere else.
 */
import { ConecError } from "../../src/index.ts";
import type { Channel, Client, ConecErrorCode, ConecErrorSource } from "../../src/index.ts";

/** What a promise of conec's came to. */
export interface Seen {
  /** `"well"` when it resolved, else the error's code; `"untyped"` when it is no ConecError, which it must never be. */
  how: "well" | ConecErrorCode | "untyped";
  source?: ConecErrorSource;
  remote?: boolean;
  message?: string;
}

export async function seen(promise: Promise<unknown>): Promise<Seen> {
  return await promise.then(
    () => ({ how: "well" }),
    (error: unknown) => {
      if (!(error instanceof ConecError)) return { how: "untyped", message: String(error) };
      const { code: how, source, remote, message } = error;
      return { how, source, remote, message };
    },
  );
}

/** Settles when a program knows that the Client's connection is no more. */
export function connectionEnd(client: Client): Promise<Seen> {
  return seen(client.closed);
}

/** Settles when a program knows that the channel is no more. */
export function channelEnd(channel: Channel): Promise<Seen> {
  return seen(channel.closed);
}

/** Settles when a Client that connects again by itself has lost its connection and has one again. */
export async function connectedAgain(client: Client): Promise<void> {
  for (const state of ["reconnecting", "connected"] as const) {
    while (client.state !== state) {
      await new Promise((resolve) => client.addEventListener("statechange", resolve, { once: true }));
    }
  }
}

/** What the party at the far end of a channel sees when the other one is gone: on its streams, and on the channel. */
export const peerGone = { how: "peer-lost", source: "channel", remote: true };

/** What a party sees whose own connection is gone: on its streams, on its channels, and on the Client. */
export const connectionGone = { how: "connection-lost", source: "connection" };
