// SPDX-License-Identifier: Apache-2.0
import type { ForwardedChannel } from "./coordinator-options.ts";
import type { Peer } from "./control-messages.ts";
import type { ConecError } from "./errors.ts";
import type { CloseInfo, Connection, Remote } from "./transport.ts";
import type { Metadata } from "../streams/message-writable.ts";

/** What happens at a Coordinator: see its `subscribe`. Durations are those of the thing itself, up to now. */
export type CoordinatorEvent =
  /** A Client was let in, so long after its connection had come. */
  | { type: "joined"; client: Peer; transport: string; remote: Remote; durationMs: number }
  /** A connection was turned away before it was let in. */
  | { type: "refused"; error: ConecError; transport: string; remote: Remote; durationMs: number }
  /** A Client has lost its connection and is waited for; it has gone on with another one. */
  | { type: "away"; client: Peer; error: ConecError }
  | { type: "back"; client: Peer }
  /** A Client is gone: one of the two said `info`, or `error` happened. */
  | { type: "left"; client: Peer; info?: CloseInfo; error?: ConecError }
  /**
   * There is a channel between two parties: both have accepted it, so long after `introduce` was called, or `createChannel` has
   * made it, without a duration.
   */
  | { type: "channel-opened"; channel: ForwardedChannel; durationMs?: number }
  /** `introduce` has failed. */
  | {
      type: "channel-refused";
      between: readonly [Peer, Peer];
      metadata: Metadata;
      error: ConecError;
      durationMs: number;
    }
  /** An end of a channel was handed to somebody else. */
  | { type: "channel-passed"; channel: ForwardedChannel; to: Peer }
  | { type: "channel-closed"; channel: ForwardedChannel; info?: CloseInfo; error?: ConecError; durationMs: number }
  /** A limit, of this name in `CoordinatorStats.limited`, was reached. */
  | { type: "limited"; limit: string };

/** Counts what a Coordinator refuses, and tells those who want to know what happens there. */
export class CoordinatorEvents {
  readonly refused: Record<string, number> = {};
  readonly limited: Record<string, number> = {};
  readonly #observers = new Set<(event: CoordinatorEvent) => void>();

  /** Returns what ends it. */
  subscribe(observer: (event: CoordinatorEvent) => void): () => void {
    const own = (event: CoordinatorEvent): void => observer(event);
    this.#observers.add(own);
    return () => void this.#observers.delete(own);
  }

  readonly tell = (event: CoordinatorEvent): void => {
    for (const observer of this.#observers) {
      try {
        observer(event);
      } catch (error) {
        // As an event listener's: it is nobody's business here, and an uncaught exception of the program.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };

  readonly limit = (limit: string): void => {
    count(this.limited, limit);
    this.tell({ type: "limited", limit });
  };

  refuse(error: ConecError, { transport, remote }: Connection, sinceMs: number): void {
    count(this.refused, error.code);
    this.tell({ type: "refused", error, transport, remote, durationMs: performance.now() - sinceMs });
  }
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
