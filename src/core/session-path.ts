// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText, toConecError } from "./errors.ts";
import type { ControlStream } from "./control-stream.ts";
import { ControlLog } from "./control-log.ts";
import { PathInbox } from "./channel-path.ts";
import type { ChannelPath, ChannelPathReceiver } from "./channel-path.ts";
import { encodeControlMessage } from "./control-messages.ts";
import type { ControlMessage } from "./control-messages.ts";
import type { Session } from "./session.ts";
import type { ByteWriter, CloseInfo } from "./transport.ts";
import type { ByteSource } from "../streams/byte-ends.ts";

/**
 * The path of one channel over a {@link Session}: its control stream, and data streams headed by its id. If it is
 * resumable, it outlives the session: control messages are counted, kept until the other end has them, and sent again when
 * another session has taken it over.
 */
export class SessionPath implements ChannelPath {
  /** The session that carries it, or carried it last. */
  session: Session;
  readonly channel: number;
  readonly #log: ControlLog | undefined;
  readonly #inbox = new PathInbox();
  /** Undefined while the path is suspended. */
  #control: ControlStream | undefined;
  #state: "open" | "ended" | "over" = "open";
  #attached = false;
  /** Of the log, as far as the session knows. */
  #heldBytes = 0;

  constructor(session: Session, channel: number, control: ControlStream, { resumable } = { resumable: false }) {
    this.session = session;
    this.channel = channel;
    this.#control = control;
    this.#log = resumable ? new ControlLog() : undefined;
  }

  /** Whether this end has not ended it. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether it waits for another session. */
  get isSuspended(): boolean {
    return this.#state !== "over" && this.#control === undefined;
  }

  /** How many control messages have been received. */
  get received(): number {
    return this.#log?.received ?? 0;
  }

  send(message: ControlMessage): void | Promise<void> {
    if (this.#state !== "open") return undefined;
    const bytes = encodeControlMessage(message);
    try {
      this.#log?.sent(bytes);
    } catch (thrown) {
      return this.giveUp(toConecError(thrown, "internal"));
    }
    this.#countHeld();
    return this.#control?.sendBytes(bytes);
  }

  async openStream(stream: number, epoch: number, head?: Uint8Array): Promise<ByteWriter> {
    if (this.#state !== "open") throw new ConecError("closed", "The channel was closed", { source: "channel" });
    return await this.session.openDataStream(this.channel, stream, epoch, head);
  }

  attach(receiver: ChannelPathReceiver): void {
    this.#inbox.attach(receiver);
    if (!this.#attached && this.#control !== undefined) void this.#read(this.#control);
    this.#attached = true;
  }

  detach(): void {
    this.#inbox.detach();
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#control?.end();
    // Else the other end has yet to say that it has everything.
    if (this.#log === undefined || !this.#attached) this.#remove();
  }

  /** Gives the channel up, and tells the other end why. */
  giveUp(error: ConecError): void {
    void this.#control?.send({ type: "close", closeCode: 0, reason: reasonText(error), code: error.code });
    this.#control?.stopReading();
    this.#state = "ended";
    this.#control?.end();
    this.#over(error);
  }

  /** A data stream of this channel came. */
  deliver(stream: number, epoch: number, source: ByteSource): void {
    if (this.#inbox.waiting >= maxWaitingStreams) {
      const error = new ConecError("limit-exceeded", "Too many data streams for a channel that is not open yet");
      this.session.fail(error, "waitingStreams");
      return;
    }
    this.#inbox.stream(stream, epoch, source);
  }

  /** The connection was lost; another session may take this path over, or else {@link lose} is called. */
  suspend(): void {
    if (this.#control === undefined || this.#state === "over") return;
    this.#control = undefined;
    this.#inbox.suspended();
  }

  /** The other end has so many control messages. @throws ConecError `protocol-error` if that cannot be */
  acknowledge(received: number): void {
    this.#log?.acknowledge(received);
    this.#countHeld();
  }

  /** Goes on over this control stream, behind the messages that were acknowledged. */
  resume(control: ControlStream): void {
    if (this.#state === "over") return dismiss(control);
    this.#control = control;
    for (const bytes of this.#log!.unacknowledged) void control.sendBytes(bytes);
    if (this.#state === "ended") control.end();
    this.#inbox.resumed();
    if (this.#attached) void this.#read(control);
  }

  /** The connection was lost for good, or the other end does not know the channel any more. */
  lose(error: ConecError): void {
    this.#control = undefined;
    this.#over(error);
  }

  async #read(control: ControlStream): Promise<void> {
    const { session } = this;
    let error: ConecError | undefined;
    let closed: CloseInfo | undefined;
    try {
      for (let message = await control.receive(); message !== undefined; message = await control.receive()) {
        if (this.#control !== control) return;
        if (!this.#count(control, message) || !session.heard(this.channel, message)) continue;
        const handled = this.#inbox.message(message);
        if (handled !== undefined) await handled;
        const pause = session.pause();
        if (pause !== undefined) await pause;
        if (message.type !== "close") continue;
        control.stopReading();
        break;
      }
    } catch (thrown) {
      error = toConecError(thrown, "protocol-error", { source: "channel" });
      if (this.#log !== undefined && error.source === "connection" && (await session.isLost())) return; // suspend comes
      error = await session.explain(error);
      if (this.#control !== control) return;
      if (error.source !== "connection") return this.giveUp(error);
      if (error.code === "closed") closed = await session.connection.closed.catch(() => undefined);
    }
    if (this.#control === control) this.#over(error, closed);
  }

  /** Whether the message is one of the channel. @throws ConecError `protocol-error` */
  #count(control: ControlStream, message: ControlMessage): boolean {
    if (this.#log === undefined) return true;
    if (message.type === "ack") {
      this.acknowledge(message.count);
      return false;
    }
    if (this.#log.receive()) void control.send({ type: "ack", count: this.#log.tell() });
    return true;
  }

  #countHeld(): void {
    const heldBytes = this.#state === "over" ? 0 : (this.#log?.keptBytes ?? 0);
    this.session.held(heldBytes - this.#heldBytes);
    this.#heldBytes = heldBytes;
  }

  #over(error?: ConecError, closed?: CloseInfo): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#countHeld();
    this.#control?.end();
    this.#remove();
    this.#inbox.ended(error, closed);
  }

  #remove(): void {
    this.session.removePath(this);
  }
}

/** The other end goes on with a channel that was given up while it was asked whether it has it. */
function dismiss(control: ControlStream): void {
  void control.send({ type: "close", closeCode: 0, reason: "The channel was given up", code: "connection-lost" });
  control.end();
  control.stopReading();
}

/** Streams that may come between the offer of a channel and its acceptance. */
const maxWaitingStreams = 1024;
