// SPDX-License-Identifier: Apache-2.0
import type { ControlMessageOf, Peer } from "./control-messages.ts";
import { ConecError, quoted, toConecError } from "./errors.ts";
import type { CoordinatorLimits } from "./limits.ts";
import type { Session } from "./session.ts";
import type { SessionPath } from "./session-path.ts";
import { ignore } from "../streams/ignore.ts";
import { unrefTimeout } from "../streams/timer.ts";

/** The Client that channels are offered to. */
export interface OfferedTo {
  readonly peer: Peer;
  readonly limits: CoordinatorLimits;
  /** Its connection, or the last one. */
  readonly session: Session;
  /** While its connection is lost and it is waited for: resolves when it is back, or given up. */
  readonly away: Promise<void> | undefined;
  /** Whether its channels may outlive its connection. */
  readonly isResumable: boolean;
  /** Resolves when the connection of this session has ended: with whether the Client is still waited for, or back. */
  outlives(session: Session): Promise<boolean>;
  /** A limit was reached, of this name. */
  limited(limit: string): void;
}

export type ChannelOffer = Omit<ControlMessageOf<"channel">, "type" | "channel">;

/** Offers channel ends to one Client. An offer that is under way when its connection is lost goes on when it is back. */
export class Offers {
  readonly #client: OfferedTo;
  /** The id of the next channel; 0 is the one that the Client shares with the Coordinator. */
  #nextChannel = 1;
  /** What the Client has not answered: told whether it has the channel when it is back. */
  readonly #pending = new Map<SessionPath, (isThere: boolean) => void>();

  constructor(client: OfferedTo) {
    this.#client = client;
  }

  /** Whether a channel of this id was offered. */
  hasOffered(channel: number): boolean {
    return channel < this.#nextChannel;
  }

  /**
   * Resolves with the way to the end when the Client has accepted. A connection that is lost meanwhile makes no difference if
   * the Client is back in time: if it had not accepted, it is asked again.
   *
   * @param isWanted Whether there is a channel still
   * @throws ConecError `refused` and the Client's other reasons, `timeout`, `limit-exceeded`, `peer-lost`, `closed`
   */
  async make(offer: ChannelOffer, isWanted: () => boolean): Promise<SessionPath> {
    const { peer, limits } = this.#client;
    const untilMs = performance.now() + limits.acceptTimeoutMs;
    for (;;) {
      await this.#present();
      if (!isWanted()) throw new ConecError("closed", "The channel was closed", { source: "channel" });
      const { session } = this.#client;
      try {
        const path = await this.#makeOver(session, offer);
        if (path !== undefined) return path;
      } catch (thrown) {
        const error = toConecError(thrown, "peer-lost", { source: "channel" });
        if (error.code === "timeout") this.#client.limited("acceptTimeoutMs");
        if (!isOfConnection(error)) throw error;
        if (!(await this.#client.outlives(session)))
          throw peerLost(`${quoted(peer.id)} is gone: ${quoted(error.message)}`, error);
      }
      if (performance.now() > untilMs) throw peerLost(`${quoted(peer.id)} is away again and again`);
    }
  }

  /** The Client is back, and has the channel of this path, or not. */
  settle(path: SessionPath, isThere: boolean): void {
    this.#pending.get(path)?.(isThere);
  }

  /** The Client is gone. */
  end(): void {
    for (const settle of this.#pending.values()) settle(false);
  }

  /** Resolves with undefined if the Client came back and had not accepted. */
  async #makeOver(session: Session, offer: ChannelOffer): Promise<SessionPath | undefined> {
    const client = this.#client;
    if (session.openPathCount > client.limits.channelsPerClient) {
      client.limited("channelsPerClient");
      const message = `${quoted(client.peer.id)} has as many channels as it may have`;
      throw new ConecError("limit-exceeded", message, { source: "channel" });
    }
    const channel = this.#nextChannel;
    this.#nextChannel += 1;
    const control = await session.openControlStream();
    const path = session.addPath(channel, control, { resumable: client.isResumable });
    const rejoined = new Promise<boolean>((resolve) => this.#pending.set(path, resolve));
    try {
      void control.send({ type: "channel", channel, ...offer });
      const answer = await control.expect(["accept", "refuse"], client.limits.acceptTimeoutMs);
      if (answer.type === "accept") return path;
      path.end();
      throw new ConecError(answer.code, answer.reason, { source: "channel", remote: true });
    } catch (thrown) {
      const error = toConecError(thrown, "peer-lost", { source: "channel" });
      // A Client that has the channel says so when it is back.
      const mayHave = isOfConnection(error) && (await client.outlives(session)) && path.session === client.session;
      const has = mayHave ? await this.#soon(rejoined) : undefined;
      if (has !== undefined) return has ? path : undefined;
      path.giveUp(error);
      throw error;
    } finally {
      this.#pending.delete(path);
    }
  }

  /** Resolves when the Client is there. @throws ConecError `peer-lost` */
  async #present(): Promise<void> {
    const { away, peer } = this.#client;
    if (away !== undefined) await this.#soon(away);
    if (this.#client.away !== undefined) throw peerLost(`${quoted(peer.id)} is away`);
  }

  /** Resolves with undefined when it takes longer than an answer to an offer may. */
  async #soon<T>(pending: Promise<T>): Promise<T | undefined> {
    let stop = ignore;
    const late = new Promise<undefined>((resolve) => {
      stop = unrefTimeout(this.#client.limits.acceptTimeoutMs, () => resolve(undefined));
    });
    return await Promise.race([pending, late]).finally(stop);
  }
}

/** Whether a request failed because the connection under it did. */
function isOfConnection({ source, code }: ConecError): boolean {
  return source === "connection" && code !== "timeout" && code !== "protocol-error";
}

function peerLost(message: string, cause?: ConecError): ConecError {
  return new ConecError("peer-lost", message, { source: "channel", cause });
}
