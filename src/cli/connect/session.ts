// SPDX-License-Identifier: Apache-2.0
import { Client } from "../../index.ts";
import type { ChannelOffer } from "../../index.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import { DeskClient } from "./desk-client.ts";

export interface JoinOptions {
  /** The id to ask for; without one the Coordinator names this Client. */
  id?: string | undefined;
  /** Which channels are taken. Default: none. What it throws is told to the other end. */
  accept?: (offer: ChannelOffer) => boolean | void;
  /**
   * Whether the channels are to outlive a connection that is lost. What was asked of the desk does not: who wants that again
   * joins again. Default false.
   */
  reconnect?: boolean;
  signal: AbortSignal;
}

/** A Client of the command line that has joined: its connection, and the Coordinator's desk. */
export class Session implements AsyncDisposable {
  readonly client: Client;
  readonly desk: DeskClient;

  /** @throws ConecError; the signal's reason */
  static async join(
    settings: ConnectionSettings,
    { id, accept, reconnect = false, signal }: JoinOptions,
  ): Promise<Session> {
    const { url, transports, keyPair, token, timeoutMs } = settings;
    const client = await Client.connect(url, {
      transport: transports.map(({ transport }) => transport),
      keyPair,
      credentials: token === undefined ? {} : { token },
      accept: accept ?? (() => false),
      reconnect,
      limits: { welcomeTimeoutMs: timeoutMs },
      signal,
      ...(id !== undefined && { id }),
    });
    try {
      return new Session(client, await DeskClient.open(client, timeoutMs, signal));
    } catch (error) {
      await closeSoon(client);
      signal.throwIfAborted();
      // Why the connection ended says more than that the stream did.
      throw await client.closed.then(
        () => error,
        (why: unknown) => why,
      );
    }
  }

  private constructor(client: Client, desk: DeskClient) {
    this.client = client;
    this.desk = desk;
  }

  /** Leaves; what is still ending gets a moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    await closeSoon(this.client);
  }
}

/** Channels of the command line end by themselves before this; so little is to be waited for. */
const closeTimeoutMs = 1000;

async function closeSoon(client: Client): Promise<void> {
  const limit = AbortSignal.timeout(closeTimeoutMs);
  await client.close({ signal: limit }).catch(() => {});
}
