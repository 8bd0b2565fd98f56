// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";

import { serverIdBytes } from "./binding.ts";
import type { Binding } from "./binding.ts";
import { minDatagramBytes } from "./config.ts";
import type { QuicListenerCounters } from "./listener-stats.ts";
import type { LongHeader } from "./long-header.ts";
import { createRetryToken, openRetryToken } from "./retry-token.ts";
import { createStatelessReset, leastResetBytes, statelessResetToken } from "./stateless-reset.ts";
import { TokenBucket } from "../../core/token-bucket.ts";
import type { UdpEndpoint, UdpSource } from "./udp/udp-endpoint.ts";

export interface StatelessAnswersOptions {
  binding: Binding;
  endpoint: UdpEndpoint;
  statelessResetKey: Uint8Array;
  counters: QuicListenerCounters;
}

/** Answers to what belongs to no connection: this many a second. */
const strayAnswersPerSecond = 100;

/** What a listener says to those of whom it keeps nothing. Never more bytes than it answers. */
export class StatelessAnswers {
  readonly #options: StatelessAnswersOptions;
  readonly #retryKey = randomBytes(32);
  readonly #strayAnswers: TokenBucket;

  constructor(options: StatelessAnswersOptions) {
    this.#options = options;
    const nowMs = performance.now();
    this.#strayAnswers = new TokenBucket({ perSecond: strayAnswersPerSecond, burst: strayAnswersPerSecond, nowMs });
  }

  /** Asks a client to come again with a token, which shows that it hears what is sent to its address. */
  retry(header: LongHeader, from: UdpSource): void {
    const newId = randomBytes(serverIdBytes);
    const claim = { address: spelled(from), originalId: header.destinationId, newId };
    const token = createRetryToken(this.#retryKey, claim, Date.now());
    const { sourceId, destinationId, version } = header;
    const packet = { clientSourceId: sourceId, clientDestinationId: destinationId, newSourceId: newId, token, version };
    this.#options.counters.retried += 1;
    this.#answer(from, (out) => this.#options.binding.writeRetry(packet, out));
  }

  /** The destination id of the client's very first packet, if this one carries a token of {@link retry} for it. */
  originalIdOf(header: LongHeader, token: Uint8Array, from: UdpSource): Buffer | undefined {
    if (token.length === 0) return undefined;
    const claim = { address: spelled(from), newId: header.destinationId };
    return openRetryToken(this.#retryKey, token, claim, Date.now());
  }

  negotiateVersion({ sourceId, destinationId }: LongHeader, from: UdpSource): void {
    if (!this.#mayAnswer()) return;
    this.#options.counters.versionNegotiations += 1;
    this.#answer(from, (out) => this.#options.binding.writeVersionNegotiation(sourceId, destinationId, out));
  }

  /** Answers a packet of a connection that is not known here: that of a server that was restarted, most likely. */
  resetConnection(datagram: Buffer, from: UdpSource): void {
    if (datagram.length < leastResetBytes + 1 || !this.#mayAnswer()) return;
    const id = datagram.subarray(1, 1 + serverIdBytes);
    const reset = createStatelessReset(statelessResetToken(this.#options.statelessResetKey, id), datagram.length);
    this.#options.counters.statelessResets += 1;
    this.#options.endpoint.sendCopy(reset, { host: from.address, port: from.port });
  }

  #mayAnswer(): boolean {
    if (this.#strayAnswers.take(performance.now())) return true;
    this.#options.counters.unanswered += 1;
    return false;
  }

  #answer(from: UdpSource, write: (out: Buffer) => number): void {
    const out = Buffer.alloc(minDatagramBytes);
    try {
      const length = write(out);
      this.#options.endpoint.sendCopy(out.subarray(0, length), { host: from.address, port: from.port });
    } catch {
      // Nothing that the engine can write an answer to.
      this.#options.counters.dropped += 1;
    }
  }
}

function spelled({ address, port }: UdpSource): string {
  return `${address} ${port}`;
}
