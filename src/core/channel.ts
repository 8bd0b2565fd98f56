// SPDX-License-Identifier: Apache-2.0
import type { ChannelEnd, ChannelEndStats } from "./channel-end.ts";
import type { Peer } from "./control-messages.ts";
import { ConecError } from "./errors.ts";
import { checkOptions } from "./options.ts";
import { checkMetadata, checkName } from "./metadata.ts";
import { checkCloseInfo } from "./close-info.ts";
import type { CloseOptions } from "./close-info.ts";
import type { CloseInfo, ConnectionStats } from "./transport.ts";
import type { MessageReadable } from "../streams/message-readable.ts";
import type { MessageWritable, Metadata } from "../streams/message-writable.ts";

/** What {@link Channel.createUnidirectionalStream} takes. */
export interface CreateStreamOptions {
  /** Told to the other end as `readable.name`. At most 256 characters, no control characters. Default empty. */
  name?: string;
  /** Told to the other end as `readable.metadata`: JSON of at most 4 KiB and 32 keys. Default `{}`. */
  metadata?: Metadata;
  /** Ends the wait for the stream; the stream itself is ended by its own `abort`. */
  signal?: AbortSignal;
}

/** What {@link Channel.sendChannel} takes. */
export interface SendChannelOptions {
  /** Told to the other end as `channel.metadata`: JSON of at most 4 KiB and 32 keys. Default `{}`. */
  metadata?: Metadata;
  /** Ends the wait for the answer, not the passing itself. */
  signal?: AbortSignal;
}

/** Figures of a channel, seen from this end, since it was opened here. */
export interface ChannelStats extends ChannelEndStats {
  /** Which transport carries it: `"quic"`, `"memory"`, …; `"local"` within one process. */
  transport: string;
  /** True when its bytes go through a Coordinator to a third party. */
  relayed: boolean;
  /** Round-trip time to the next hop, in milliseconds, where the transport tells it. */
  rttMs?: number;
}

/** What a channel needs to know of its Client or Coordinator. */
export interface ChannelHost {
  /** Hands `passed` to the far end of `via`. */
  pass(via: Channel, passed: Channel, metadata: Metadata, signal?: AbortSignal): Promise<void>;
  connectionStats(): Promise<{ transport: string; relayed: boolean } & ConnectionStats>;
}

/**
 * A connection between two parties, a Client and the Coordinator or two Clients, with any number of independent one-way
 * streams of messages.
 *
 * Fires `peerchange` when the far end was passed on to somebody else.
 *
 * @example
 * ```ts
 * const writable = await channel.createUnidirectionalStream({ name: "file.bin" });
 * await file.stream().pipeTo(writable);
 * await channel.close({ closeCode: 0, reason: "done" });
 * ```
 */
export class Channel extends EventTarget implements AsyncDisposable {
  readonly #end: ChannelEnd;
  readonly #host: ChannelHost;

  /** @internal Made by a Client or a Coordinator. */
  constructor(end: ChannelEnd, host: ChannelHost) {
    super();
    this.#end = end;
    this.#host = host;
    end.onPeerChange = () => this.dispatchEvent(new Event("peerchange"));
    ends.set(this, end);
  }

  /** The party at the far end. */
  get peer(): Peer {
    return this.#end.peer;
  }

  /** What the channel was introduced or sent with. */
  get metadata(): Metadata {
    return this.#end.metadata;
  }

  /**
   * The streams that the far end opened, in the order it opened them. Streams that nobody takes hold their opener back
   * once as many as the limit are waiting.
   */
  get incomingUnidirectionalStreams(): ReadableStream<MessageReadable> {
    return this.#end.incoming;
  }

  /**
   * Resolves when either end has closed the channel, with what it said; rejects with a ConecError when the channel broke
   * (`peer-lost`, `connection-lost`, `protocol-error`, …) or was passed on (`detached`). Never an unhandled rejection.
   */
  get closed(): Promise<CloseInfo> {
    return this.#end.closed;
  }

  /**
   * Opens a stream to the far end, without a round trip. Waits only while as many streams are open or unread as the far
   * end allows, or as many are open on all channels of this Client as the Coordinator allows (1024).
   *
   * @throws ConecError `closed`, `detached`, `invalid-argument`, what broke the channel; the signal's reason
   */
  async createUnidirectionalStream(options: CreateStreamOptions = {}): Promise<MessageWritable> {
    const { name, metadata, signal } = checkOptions(options, "createUnidirectionalStream");
    const info = { name: checkName(name ?? "", "A stream's name"), metadata: checkMetadata(metadata) };
    return await this.#end.createStream(info, signal);
  }

  /**
   * Hands another channel's end on to the party at the far end of this one, as one passes a file descriptor. Once it
   * resolves, that party has accepted, and using `channel` here throws `detached`. If it rejects, `channel` is still
   * this party's. The party at the far end of `channel` keeps its own end and sees its `peer` change.
   *
   * @throws ConecError `streams-open` when `channel` has open streams, `refused` when the Coordinator's `authorize` or
   * the receiver's `accept` said no, `detached`, `invalid-argument`, what broke either channel
   */
  async sendChannel(channel: Channel, options: SendChannelOptions = {}): Promise<void> {
    if (!(channel instanceof Channel))
      throw new ConecError("invalid-argument", "Only a Channel can be sent", { source: "channel" });
    if (channel === this)
      throw new ConecError("invalid-argument", "A channel cannot be sent over itself", { source: "channel" });
    const { metadata, signal } = checkOptions(options, "sendChannel");
    const checked = checkMetadata(metadata);
    signal?.throwIfAborted();
    this.#end.checkUsable();
    await this.#host.pass(this, channel, checked, signal);
  }

  /**
   * Closes the channel at both ends. Streams of this end that are closing get the time to be received (up to 10 s);
   * all other streams end with `closed`. Resolves when the far end has answered or the time is up.
   *
   * @throws ConecError `detached`, `invalid-argument`; the signal's reason
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const info = checkCloseInfo(options);
    await this.#end.close(info, options.signal);
  }

  /** Figures of this channel. Works after it has ended, too. */
  async getStats(): Promise<ChannelStats> {
    const { transport, relayed, rttMs } = await this.#host.connectionStats();
    return { ...this.#end.stats(), transport, relayed, ...(rttMs === undefined ? {} : { rttMs }) };
  }

  /** Closes the channel, unless it is closed or was passed on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end.usable) await this.close();
  }
}

/** The end at work under a Channel. */
export function endOf(channel: Channel): ChannelEnd {
  return ends.get(channel)!;
}

const ends = new WeakMap<Channel, ChannelEnd>();
