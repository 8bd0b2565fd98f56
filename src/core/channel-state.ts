// SPDX-License-Identifier: Apache-2.0
/**
 * What the control messages do to the streams of one end of a channel: plain synchronous code without I/O or clock.
 * An event goes in (a message from the peer, a call of the program), actions come out; `Channel` carries them out.
 * Longer than most: every control message is decided here and nowhere else.
 */
import { ConecError } from "./errors.ts";
import type { CloseInfo } from "./transport.ts";
import { maxCounts } from "./control-messages.ts";
import type { ControlMessage, ControlMessageOf, Peer } from "./control-messages.ts";
import type { Metadata } from "../streams/message-writable.ts";

/** What is to be done after an event, in this order. */
export type Action =
  | { do: "send"; message: ControlMessage }
  /** The peer opened a data stream: give it to the program. */
  | { do: "surface"; stream: number; name: string; metadata: Metadata }
  | { do: "confirmWritable"; stream: number }
  | { do: "failWritable"; stream: number; error: ConecError }
  | { do: "failReadable"; stream: number; error: ConecError }
  /** More streams may be opened. */
  | { do: "credit" }
  /** Of this stream the other end has so many messages. */
  | { do: "confirm"; stream: number; messages: number }
  /** What is on its way is lost: let go of all byte streams. */
  | { do: "suspend" }
  /** Tell the far end what was received, by {@link ChannelState.report}. */
  | { do: "report" }
  /** Go on with all streams, behind what the far end has of them. */
  | { do: "flow"; received: ReadonlyMap<number, number> }
  | { do: "peer"; peer: Peer }
  /** The answer to `sendChannel`: passed on, or an error. */
  | { do: "passed"; error?: ConecError }
  /** The peer closed the channel, or broke the protocol (then with the error). */
  | { do: "closed"; info: CloseInfo; error?: ConecError };

export interface ChannelStateOptions {
  /** Which end this is: stream ids of end 0 are even, of end 1 odd. */
  end: 0 | 1;
  /** For each end: the number of data streams it has opened so far. */
  opened?: readonly [number, number];
  /** For each end: the number of data streams it may have opened. */
  maxStreams: readonly [number, number];
  /** How many data streams the peer may have open or unread at once. */
  streamLimit: number;
  /** Whether this end goes through a Coordinator, which may put another peer at the far end. */
  relayed?: boolean;
  /** Whether this end says when a channel that was suspended goes on: the Coordinator's, of one that is not relayed. */
  leads?: boolean;
  /** How often the channel was resumed so far. */
  epoch?: number;
}

/** What is still missing until a stream from the peer counts as done with. */
interface Incoming {
  /** Its transport stream was found. */
  paired: boolean;
  /** Its end was received, or it failed or was cancelled. */
  over: boolean;
  /** The program took it from `incomingUnidirectionalStreams`. */
  taken: boolean;
  /** The program took its last message, or it failed or was cancelled. */
  drained: boolean;
}

export class ChannelState {
  readonly #end: 0 | 1;
  readonly #streamLimit: number;
  readonly #relayed: boolean;
  readonly #leads: boolean;
  /** Data streams opened by this end and not yet confirmed or failed. */
  readonly #outgoing = new Set<number>();
  readonly #incoming = new Map<number, Incoming>();
  #opened: number;
  #peerOpened: number;
  #maxStreams: number;
  #granted: number;
  #peerDone: number;
  #passing = false;
  #over = false;
  #epoch: number;
  #phase: "flowing" | "suspended" | "resuming" = "flowing";
  /** What the far end has told so far of where to go on. */
  readonly #resumeAt = new Map<number, number>();

  constructor(options: ChannelStateOptions) {
    const { end, opened = [0, 0], maxStreams, streamLimit, relayed = false, leads = false, epoch = 0 } = options;
    this.#end = end;
    this.#streamLimit = streamLimit;
    this.#relayed = relayed;
    this.#leads = leads;
    this.#epoch = epoch;
    this.#opened = opened[end];
    this.#peerOpened = opened[1 - end]!;
    this.#peerDone = this.#peerOpened;
    this.#maxStreams = maxStreams[end];
    this.#granted = maxStreams[1 - end]!;
  }

  /** Whether the peer's credit allows another stream. */
  get mayOpen(): boolean {
    return this.#opened < this.#maxStreams;
  }

  /** Whether byte streams can be opened; while they cannot, what is written waits. */
  get isFlowing(): boolean {
    return this.#phase === "flowing";
  }

  /** How often the channel was resumed. Byte streams of another epoch do not count. */
  get epoch(): number {
    return this.#epoch;
  }

  get openStreams(): { outgoing: number; incoming: number } {
    return { outgoing: this.#outgoing.size, incoming: this.#incoming.size };
  }

  /** This end has been taken over: the credit that its former holder had not given back is given back. */
  begin(): Action[] {
    return this.#grant();
  }

  /** Opens a data stream; only while {@link mayOpen}. */
  open(name: string, metadata: Metadata): { stream: number; actions: Action[] } {
    const stream = this.#opened * 2 + this.#end;
    this.#opened += 1;
    this.#outgoing.add(stream);
    return { stream, actions: [{ do: "send", message: { type: "open", stream, name, metadata } }] };
  }

  /** The program aborted a stream of its own, or it failed here. */
  abort(stream: number, what: Omit<ControlMessageOf<"abort">, "type" | "stream">): Action[] {
    if (!this.#outgoing.delete(stream)) return [];
    return [{ do: "send", message: { type: "abort", stream, ...what } }];
  }

  /** The program cancelled a stream of the peer, or it failed here. */
  cancel(stream: number, what: Omit<ControlMessageOf<"stop">, "type" | "stream">): Action[] {
    const incoming = this.#incoming.get(stream);
    if (incoming === undefined || incoming.over) return [];
    incoming.over = true;
    return [{ do: "send", message: { type: "stop", stream, ...what } }, ...this.#settle(stream, incoming)];
  }

  /** A stream of the peer was received whole. */
  received(stream: number): Action[] {
    const incoming = this.#incoming.get(stream);
    if (incoming === undefined || incoming.over) return [];
    incoming.over = true;
    return [{ do: "send", message: { type: "finished", stream } }, ...this.#settle(stream, incoming)];
  }

  /** The program took a stream of the peer (`taken`), or its last message (`drained`). */
  mark(stream: number, what: "taken" | "drained"): Action[] {
    const incoming = this.#incoming.get(stream);
    if (incoming === undefined) return [];
    incoming[what] = true;
    return this.#settle(stream, incoming);
  }

  /**
   * A transport stream says that it carries this data stream: it is the one that was opened ("attach"), its `open` has
   * yet to come ("hold"), it is over already ("discard"), or it cannot be (a protocol error).
   */
  pair(stream: number, epoch: number): "attach" | "hold" | "discard" | ConecError {
    if (epoch < this.#epoch || (epoch === this.#epoch && this.#phase === "suspended")) return "discard";
    if (epoch > this.#epoch) return "hold";
    if (stream % 2 === this.#end) return protocolError(`Stream ${stream} belongs to the other end`);
    if (stream >= this.#peerOpened * 2) return "hold";
    const incoming = this.#incoming.get(stream);
    if (incoming === undefined) return "discard";
    if (incoming.paired) return protocolError(`Stream ${stream} came twice`);
    incoming.paired = true;
    return incoming.over ? "discard" : "attach";
  }

  /** Whether the bytes of a stream of the peer have yet to begin. */
  isMissing(stream: number): boolean {
    const incoming = this.#incoming.get(stream);
    return incoming !== undefined && !incoming.paired && !incoming.over;
  }

  /** The connection was lost under this end's path. */
  suspend(): Action[] {
    if (this.#over || this.#phase === "suspended") return [];
    this.#phase = "suspended";
    for (const incoming of this.#incoming.values()) incoming.paired = false;
    return [{ do: "suspend" }];
  }

  /** This end's path goes on over another connection. */
  resume(): Action[] {
    if (this.#over || !this.#leads) return [];
    const epoch = this.#epoch + 1;
    return [{ do: "send", message: { type: "resume", epoch } }, ...this.#enter(epoch)];
  }

  /** Answers the action "report": how many messages were received of the streams that are not over. */
  report(received: readonly [stream: number, messages: number][]): Action[] {
    const epoch = this.#epoch;
    const parts = Math.max(1, Math.ceil(received.length / maxCounts));
    return Array.from({ length: parts }, (_, part) => {
      const counts = received.slice(part * maxCounts, (part + 1) * maxCounts);
      return { do: "send", message: { type: "resumeAt", epoch, counts, last: part === parts - 1 } };
    });
  }

  /** So much was received, while all is well. */
  acknowledge(received: readonly [stream: number, messages: number][]): Action[] {
    return [{ do: "send", message: { type: "received", counts: received.slice(0, maxCounts) } }];
  }

  /** Asks that the channel be passed on. Its answer comes as the action "passed". */
  pass(via: number, metadata: Metadata): Action[] {
    this.#passing = true;
    return [{ do: "send", message: { type: "sendChannel", via, metadata } }];
  }

  /** Nothing more is to be done for this channel, whatever still comes. */
  finish(): void {
    this.#over = true;
  }

  /** A control message came from the peer. */
  receive(message: ControlMessage): Action[] {
    if (this.#over) return [];
    switch (message.type) {
      case "open":
        return this.#receiveOpen(message);
      case "received":
        return this.#receiveReceived(message);
      case "suspend":
        return this.#relayed ? this.suspend() : fault("Only a passed channel is suspended by a message");
      case "resume":
        return this.#receiveResume(message);
      case "resumeAt":
        return this.#receiveResumeAt(message);
      case "finished":
        return this.#outgoingEnded(message.stream, () => [{ do: "confirmWritable", stream: message.stream }]);
      case "stop":
        return this.#outgoingEnded(message.stream, () => [
          {
            do: "failWritable",
            stream: message.stream,
            error: streamError("cancelled", "The reader cancelled the stream", message),
          },
        ]);
      case "abort":
        return this.#receiveAbort(message);
      case "maxStreams":
        if (message.count <= this.#maxStreams) return [];
        this.#maxStreams = message.count;
        return [{ do: "credit" }];
      case "peer":
        return this.#relayed ? [{ do: "peer", peer: message.peer }] : fault("Only a passed channel changes its peer");
      case "accept":
      case "refuse":
        return this.#receivePassed(message);
      case "ping":
        return [{ do: "send", message: { type: "pong", id: message.id } }];
      case "pong":
      case "goaway":
        return [];
      case "close":
        return this.#receiveClose(message);
      default:
        return fault(`A ${message.type} message has no place here`);
    }
  }

  #receiveOpen({ stream, name, metadata }: ControlMessageOf<"open">): Action[] {
    if (stream !== this.#peerOpened * 2 + (1 - this.#end)) return fault(`Stream ${stream} was opened out of turn`);
    if (this.#peerOpened >= this.#granted) return fault(`More than ${this.#granted} streams were opened`);
    this.#peerOpened += 1;
    this.#incoming.set(stream, { paired: false, over: false, taken: false, drained: false });
    return [{ do: "surface", stream, name, metadata }];
  }

  #receiveReceived({ counts }: ControlMessageOf<"received">): Action[] {
    if (!counts.every(([stream]) => this.#wasOpened(stream)))
      return fault("Of a stream that was never opened, nothing came");
    return counts
      .filter(([stream]) => this.#outgoing.has(stream))
      .map(([stream, messages]) => ({ do: "confirm", stream, messages }));
  }

  #receiveResume({ epoch }: ControlMessageOf<"resume">): Action[] {
    if (this.#leads || epoch <= this.#epoch) return fault(`Epoch ${epoch} cannot begin`);
    return this.#enter(epoch);
  }

  #enter(epoch: number): Action[] {
    const suspended = this.suspend();
    this.#epoch = epoch;
    this.#phase = "resuming";
    this.#resumeAt.clear();
    return [...suspended, { do: "report" }];
  }

  #receiveResumeAt({ epoch, counts, last }: ControlMessageOf<"resumeAt">): Action[] {
    // From before the connection was lost once more.
    if (epoch < this.#epoch || this.#phase === "suspended") return [];
    if (epoch > this.#epoch || this.#phase !== "resuming") return fault("There is nothing to resume");
    for (const [stream, messages] of counts) {
      if (!this.#wasOpened(stream)) return fault(`Stream ${stream} was never opened`);
      this.#resumeAt.set(stream, messages);
    }
    if (!last) return [];
    this.#phase = "flowing";
    return [{ do: "flow", received: new Map(this.#resumeAt) }];
  }

  /** Whether this end has opened such a stream. */
  #wasOpened(stream: number): boolean {
    return stream % 2 === this.#end && stream < this.#opened * 2;
  }

  #receiveAbort(message: ControlMessageOf<"abort">): Action[] {
    const { stream } = message;
    if (stream % 2 === this.#end || stream >= this.#peerOpened * 2)
      return fault(`Stream ${stream} is not there to abort`);
    const incoming = this.#incoming.get(stream);
    if (incoming === undefined || incoming.over) return [];
    incoming.over = true;
    const error = streamError("aborted", "The writer aborted the stream", message);
    return [{ do: "failReadable", stream, error }, ...this.#settle(stream, incoming)];
  }

  #outgoingEnded(stream: number, actions: () => Action[]): Action[] {
    if (!this.#wasOpened(stream)) return fault(`Stream ${stream} was never opened`);
    return this.#outgoing.delete(stream) ? actions() : [];
  }

  #receivePassed(message: ControlMessageOf<"accept"> | ControlMessageOf<"refuse">): Action[] {
    if (!this.#passing) return fault(`A ${message.type} message answers nothing`);
    this.#passing = false;
    if (message.type === "accept") return [{ do: "passed" }];
    const error = new ConecError(message.code, message.reason, { source: "channel", remote: true });
    return [{ do: "passed", error }];
  }

  #receiveClose({ closeCode, reason, code }: ControlMessageOf<"close">): Action[] {
    const info = { closeCode, reason };
    if (code === undefined) return [{ do: "closed", info }];
    return [{ do: "closed", info, error: new ConecError(code, reason, { source: "channel", remote: true }) }];
  }

  /** Forgets a stream that is done with, and gives its credit back in batches. */
  #settle(stream: number, incoming: Incoming): Action[] {
    if (!incoming.over || !incoming.taken || !incoming.drained) return [];
    this.#incoming.delete(stream);
    this.#peerDone += 1;
    return this.#grant();
  }

  #grant(): Action[] {
    const grant = this.#peerDone + this.#streamLimit;
    if (grant - this.#granted < Math.max(1, this.#streamLimit / 4)) return [];
    this.#granted = grant;
    return [{ do: "send", message: { type: "maxStreams", count: grant } }];
  }
}

/** The peer broke the rules: it is told so, and the channel is over. */
function fault(message: string): Action[] {
  const close: ControlMessage = { type: "close", closeCode: 0, reason: message, code: "protocol-error" };
  return [
    { do: "send", message: close },
    { do: "closed", info: { closeCode: 0, reason: message }, error: protocolError(message) },
  ];
}

function protocolError(message: string): ConecError {
  return new ConecError("protocol-error", message, { source: "channel", remote: true });
}

function streamError(
  code: "aborted" | "cancelled",
  fallback: string,
  { code: given, reason, streamErrorCode }: ControlMessageOf<"abort" | "stop">,
): ConecError {
  return new ConecError(given === "aborted" ? code : given, reason === "" ? fallback : reason, {
    source: "stream",
    remote: true,
    ...(streamErrorCode === undefined ? {} : { streamErrorCode }),
  });
}
