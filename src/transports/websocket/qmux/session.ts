// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText } from "../../../core/errors.ts";
import type { CloseInfo, ConnectionStats } from "../../../core/transport.ts";
import { unrefTimeout } from "../../../streams/timer.ts";
import type { MessageSocket } from "../message-socket.ts";
import { encodeFrame, readFrames } from "./frames.ts";
import type { ControlFrame, Frame } from "./frames.ts";
import { QmuxError, qmuxErrorCodes } from "./qmux-error.ts";
import { streamWindowBytes } from "./receive-credit.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import { maxRecordBytes, RecordWriter } from "./record-writer.ts";
import type { SendStream } from "./send-stream.ts";
import { Silence } from "./silence.ts";
import { StreamTable } from "./stream-table.ts";
import type { ConnectionLimits } from "../connection-limits.ts";
import type { TransportParameters } from "./transport-parameters.ts";

export interface QmuxSessionOptions {
  socket: MessageSocket;
  isServer: boolean;
  limits: ConnectionLimits;
  /** The connection is lost when nothing is heard for so long. */
  idleTimeoutMs: number;
  /** When nothing is heard for so long, a sign of life is asked for. */
  keepAliveIntervalMs: number;
  events: QmuxEvents;
}

export interface QmuxEvents {
  /** Once: the other end has said what it allows, and streams can be opened. */
  onReady(): void;
  /** The other end has opened a stream; `send` is absent when it is one-way. */
  onStream(receive: ReceiveStream, send: SendStream | undefined): void;
  /** Once; every stream has failed by then. */
  onEnd(end: ConnectionEnd): void;
}

/** How a connection ended: by a close, or by an error. */
export type ConnectionEnd = { readonly info: CloseInfo } | { readonly error: ConecError };

/**
 * One connection of QMux (draft-ietf-quic-qmux-02) over a WebSocket whose every binary message is one record
 * (draft-lcurley-qmux-websocket). What its streams do is in {@link StreamTable}; this moves records between that and the
 * socket, keeps the connection alive, and ends it.
 */
export class QmuxSession {
  readonly #socket: MessageSocket;
  readonly #events: QmuxEvents;
  readonly #table: StreamTable;
  readonly #options: QmuxSessionOptions;
  #peer: TransportParameters | undefined;
  #end: ConnectionEnd | undefined;
  #sending = false;
  #stopTimer = (): void => {};
  #heard = false;
  #receivedBefore = 0;
  /** Of our pings, how many there were and when the last one left if it is not answered yet. */
  #pingCount = 0;
  #pingSentMs: number | undefined;
  /** Of the other end's, the last one, and whether it is to be answered. */
  #pinged = -1;
  #pongDue = false;
  #rttMs: number | undefined;

  constructor(options: QmuxSessionOptions) {
    const { socket, isServer, limits, events } = options;
    this.#options = options;
    this.#socket = socket;
    this.#events = events;
    this.#table = new StreamTable(isServer, limits, {
      nowMs: () => performance.now(),
      sendSoon: () => this.#sendSoon(),
      onStream: (receive, send) => events.onStream(receive, send),
    });
    socket.start({
      onMessage: (message) => this.#receive(message),
      onRoom: () => this.#send(),
      onClose: (why) => this.#finish({ error: lost(`The connection was cut: ${why}`) }),
    });
    socket.send(encodeFrame({ type: "transport-parameters", parameters: ownParameters(options) }));
    this.#watch(options.idleTimeoutMs);
  }

  openBidirectional(): { receive: ReceiveStream; send: SendStream } {
    return this.#table.openBidirectional();
  }

  openUnidirectional(): SendStream {
    return this.#table.openUnidirectional();
  }

  /** Ends the connection: the other end is told. Does nothing if it has ended. */
  close({ closeCode, reason }: CloseInfo): void {
    this.#endWith({ type: "close", application: true, code: closeCode, reason }, { info: { closeCode, reason } });
  }

  /** Ends the connection with an error of this end. */
  fail(error: ConecError): void {
    const code = qmuxErrorCodes.NO_ERROR;
    this.#endWith({ type: "close", application: false, code, reason: error.message }, { error });
  }

  getStats(): ConnectionStats {
    const { counts } = this.#socket;
    return {
      ...(this.#rttMs !== undefined && { rttMs: this.#rttMs }),
      ...(counts !== undefined && { bytesReceived: counts.received, bytesSent: counts.sent }),
    };
  }

  #receive(message: Uint8Array | undefined): void {
    if (this.#end !== undefined) return;
    this.#heard = true;
    try {
      if (message === undefined) throw new QmuxError("PROTOCOL_VIOLATION", "text");
      if (message.length > maxRecordBytes) throw new QmuxError("FRAME_ENCODING_ERROR", "a record that is too large");
      for (const frame of readFrames(message)) {
        this.#take(frame);
        if (this.#isOver()) return;
      }
    } catch (thrown) {
      this.#violation(thrown);
    }
  }

  #take(frame: Frame): void {
    if ((frame.type === "transport-parameters") !== (this.#peer === undefined)) {
      throw new QmuxError("PROTOCOL_VIOLATION", "transport parameters not first and once");
    }
    switch (frame.type) {
      case "transport-parameters":
        return this.#begin(frame.parameters);
      case "ping":
        return this.#onPing(frame.sequence);
      case "pong":
        return this.#onPong(frame.sequence);
      case "close":
        return this.#closed(frame);
      default:
        return this.#table.receive(frame);
    }
  }

  #begin(peer: TransportParameters): void {
    this.#peer = peer;
    this.#table.begin(peer);
    if (peer.maxIdleTimeoutMs > 0) this.#watch(Math.min(peer.maxIdleTimeoutMs, this.#options.idleTimeoutMs));
    this.#ping();
    this.#events.onReady();
  }

  #onPing(sequence: number): void {
    if (sequence <= this.#pinged || sequence === Infinity) {
      throw new QmuxError("PROTOCOL_VIOLATION", "a ping whose number is not the next one");
    }
    this.#pinged = sequence;
    this.#pongDue = true;
    this.#sendSoon();
  }

  #onPong(sequence: number): void {
    if (sequence >= this.#pingCount) throw new QmuxError("PROTOCOL_VIOLATION", "an answer to a ping that was not sent");
    if (sequence < this.#pingCount - 1 || this.#pingSentMs === undefined) return;
    const sampleMs = performance.now() - this.#pingSentMs;
    this.#pingSentMs = undefined;
    this.#rttMs = this.#rttMs === undefined ? sampleMs : (7 * this.#rttMs + sampleMs) / 8; // RFC 9002, section 5.3
  }

  #closed({ application, code, reason }: Extract<ControlFrame, { type: "close" }>): void {
    const text = reasonText(reason);
    if (application) this.#finish({ info: { closeCode: Math.min(code, 0xffff_ffff), reason: text } });
    else if (code === qmuxErrorCodes.NO_ERROR) this.#finish({ error: lost(`The other end went away: ${text}`) });
    else {
      const message = `The other end closed with error 0x${code.toString(16)}: ${text}`;
      this.#finish({ error: new ConecError("protocol-error", message, { remote: true }) });
    }
    this.#socket.close();
  }

  #violation(thrown: unknown): void {
    if (!(thrown instanceof QmuxError)) {
      const message = "A fault in the handling of a record";
      this.fail(new ConecError("internal", message, { cause: thrown }));
      return;
    }
    const { wireCode: code, message } = thrown;
    const isLimit = code === qmuxErrorCodes.STREAM_LIMIT_ERROR || code === qmuxErrorCodes.FLOW_CONTROL_ERROR;
    const error = new ConecError(isLimit ? "limit-exceeded" : "protocol-error", `The other end sent ${message}`, {
      remote: true,
      cause: thrown,
    });
    this.#endWith({ type: "close", application: false, code, reason: message }, { error });
  }

  #endWith(frame: ControlFrame, end: ConnectionEnd): void {
    if (this.#end !== undefined) return;
    this.#send(); // what was written in this turn, if there is room
    this.#socket.send(encodeFrame(frame));
    this.#finish(end);
    this.#socket.close();
  }

  #finish(end: ConnectionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#stopTimer();
    this.#table.fail(streamErrorOf(end));
    this.#events.onEnd(end);
  }

  #isOver(): boolean {
    return this.#end !== undefined;
  }

  /** Everything that is said in one turn shares records. */
  #sendSoon(): void {
    if (this.#sending || this.#end !== undefined) return;
    this.#sending = true;
    queueMicrotask(() => {
      this.#sending = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#end === undefined && this.#peer !== undefined && this.#socket.hasRoom) {
      const record = new RecordWriter(this.#peer.maxRecordBytes);
      if (this.#pongDue) record.add(encodeFrame({ type: "pong", sequence: this.#pinged }));
      this.#pongDue = false;
      this.#table.fillRecord(record);
      if (record.isEmpty) return;
      this.#socket.send(record.content);
    }
  }

  #ping(): void {
    this.#pingSentMs = performance.now();
    this.#socket.send(encodeFrame({ type: "ping", sequence: this.#pingCount++ }));
  }

  #watch(idleTimeoutMs: number): void {
    const { keepAliveIntervalMs } = this.#options;
    const silence = new Silence({ idleTimeoutMs, keepAliveIntervalMs });
    const arm = (): void => {
      this.#stopTimer = unrefTimeout(silence.tickMs, () => {
        const todo = silence.tick(this.#hasHeard());
        if (todo === "lost") this.fail(lost("Nothing was heard from the other end for too long"));
        else if (todo === "ask" && this.#peer !== undefined) this.#ping();
        if (todo !== "lost") arm();
      });
    };
    this.#stopTimer();
    arm();
  }

  /** Whether anything came in since the last call, if only a part of a record. */
  #hasHeard(): boolean {
    const received = this.#socket.counts?.received ?? 0;
    const heard = this.#heard || received > this.#receivedBefore;
    this.#heard = false;
    this.#receivedBefore = received;
    return heard;
  }
}

/** What streams fail with when their connection ends. */
export function streamErrorOf(end: ConnectionEnd): ConecError {
  if ("error" in end) return end.error;
  const { closeCode, reason } = end.info;
  return new ConecError("closed", `The connection was closed${reason === "" ? ` (${closeCode})` : `: ${reason}`}`);
}

function ownParameters({ idleTimeoutMs, limits }: QmuxSessionOptions): TransportParameters {
  return {
    maxIdleTimeoutMs: idleTimeoutMs,
    maxData: limits.maxUnreadBytes,
    maxStreamDataBidiLocal: streamWindowBytes.initial,
    maxStreamDataBidiRemote: streamWindowBytes.initial,
    maxStreamDataUni: streamWindowBytes.initial,
    maxStreamsBidi: limits.maxIncomingStreams,
    maxStreamsUni: limits.maxIncomingStreams,
    maxRecordBytes,
  };
}

function lost(message: string): ConecError {
  return new ConecError("connection-lost", message, { remote: true });
}
