/**
 * What the control messages do to the streams of one end of a channel: plain synchronous code without I/O or clock.
 * An event goes in (a message from the peer, a call of the program), actions come out; `Channel` carries them out.
 */
import { ConecError } from "./errors.ts";
import type { CloseInfo } from "./transport.ts";
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

  constructor({ end, opened = [0, 0], maxStreams, streamLimit, relayed = false }: ChannelStateOptions) {
    this.#end = end;
    this.#streamLimit = streamLimit;
    this.#relayed = relayed;
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
  pair(stream: number): "attach" | "hold" | "discard" | ConecError {
    if (stream % 2 === this.#end) return protocolError(`Stream ${stream} belongs to the other end`);
    if (stream >= this.#peerOpened * 2) return "hold";
    const incoming = this.#incoming.get(stream);
    if (incoming === undefined) return "discard";
    if (incoming.paired) return protocolError(`Stream ${stream} came twice`);
    incoming.paired = true;
    return incoming.over ? "discard" : "attach";
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
    if (stream % 2 !== this.#end || stream >= this.#opened * 2) return fault(`Stream ${stream} was never opened`);
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
