// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../../core/errors.ts";
import type { ConnectionLimits } from "../connection-limits.ts";
import { encodeFrame } from "./frames.ts";
import type { ControlFrame, StreamFrame } from "./frames.ts";
import { QmuxError } from "./qmux-error.ts";
import { maxFrameBytes, ReceiveCredit, streamWindowBytes } from "./receive-credit.ts";
import { ReceiveStream } from "./receive-stream.ts";
import { ReceiveWindow } from "./receive-window.ts";
import type { RecordWriter } from "./record-writer.ts";
import { SendStream } from "./send-stream.ts";
import { SendTurns } from "./send-turns.ts";
import type { StreamHost } from "./stream-host.ts";
import { idBits, kindOf, OwnStreamIds, PeerStreamIds, streamKinds } from "./stream-ids.ts";
import type { StreamKind } from "./stream-ids.ts";
import type { TransportParameters } from "./transport-parameters.ts";

/** The connection that the streams belong to. */
export interface StreamTableOwner {
  /** Monotonic. */
  nowMs(): number;
  /** There is something for a record: `fillRecord` is to be called. */
  sendSoon(): void;
  /** The other end has opened a stream; `send` is absent when it is one-way. */
  onStream(receive: ReceiveStream, send: SendStream | undefined): void;
}

/** The frames that are about streams and their credit. */
export type TableFrame = StreamFrame | Extract<ControlFrame, { type: TableFrameType }>;
type TableFrameType = "reset-stream" | "stop-sending" | "max-data" | "max-stream-data" | "max-streams";

/**
 * The streams of one connection and the credit of both ends: frames that came in go in, frames to be sent come out, as a
 * record has room. It knows no socket and no promise.
 */
export class StreamTable implements StreamHost {
  readonly #owner: StreamTableOwner;
  readonly #ownBit: 0 | 1;
  #peer: TransportParameters | undefined;

  readonly #sending = new Map<number, SendStream>();
  readonly #receiving = new Map<number, ReceiveStream>();
  readonly #own: Kinds<OwnStreamIds>;
  readonly #peers: Kinds<PeerStreamIds>;

  /** Streams of this end that have no id yet; and those of them that want one, which the other end does not allow yet. */
  readonly #idle = new Set<SendStream>();
  readonly #unopened: Kinds<Set<SendStream>> = { bidirectional: new Set(), unidirectional: new Set() };
  readonly #turns = new SendTurns();
  readonly #credit: ReceiveCredit;
  /** Ends of streams that the other end is to be told. At most two for each stream, and so bounded by its credit. */
  #endings: Uint8Array[] = [];

  constructor(isServer: boolean, limits: ConnectionLimits, owner: StreamTableOwner) {
    this.#owner = owner;
    this.#ownBit = isServer ? idBits.byServer : 0;
    this.#own = {
      bidirectional: new OwnStreamIds(this.#ownBit),
      unidirectional: new OwnStreamIds(this.#ownBit | idBits.unidirectional),
    };
    this.#peers = {
      bidirectional: new PeerStreamIds(limits.maxIncomingStreams),
      unidirectional: new PeerStreamIds(limits.maxIncomingStreams),
    };
    this.#credit = new ReceiveCredit(limits.maxUnreadBytes, owner.nowMs());
  }

  /** What the other end allows at first. */
  begin(peer: TransportParameters): void {
    this.#peer = peer;
    this.#allowData(peer.maxData);
    this.#allowStreams("bidirectional", peer.maxStreamsBidi);
    this.#allowStreams("unidirectional", peer.maxStreamsUni);
  }

  openBidirectional(): { receive: ReceiveStream; send: SendStream } {
    const receive = new ReceiveStream(this, this.#newWindow());
    const send = new SendStream(this, "bidirectional", receive);
    this.#idle.add(send);
    return { receive, send };
  }

  openUnidirectional(): SendStream {
    const send = new SendStream(this, "unidirectional");
    this.#idle.add(send);
    return send;
  }

  /** A frame came in. @throws QmuxError */
  receive(frame: TableFrame): void {
    switch (frame.type) {
      case "stream":
        return this.#receiveData(frame);
      case "reset-stream":
        return this.#receiveReset(frame.id, Math.min(frame.code, maxErrorCode), frame.finalSize);
      case "stop-sending":
        return this.#sender(frame.id)?.stop(Math.min(frame.code, maxErrorCode));
      case "max-stream-data":
        return this.#sender(frame.id)?.allow(frame.limit);
      case "max-data":
        return this.#allowData(frame.limit);
      case "max-streams":
        return this.#allowStreams(frame.unidirectional ? "unidirectional" : "bidirectional", frame.limit);
    }
  }

  /** Puts what there is to send into a record, as far as it has room. */
  fillRecord(record: RecordWriter): void {
    if (!this.#fillEndings(record) || !this.#fillStreamCredit(record)) return;
    if (this.#credit.fillRecord(record, this.#owner.nowMs())) this.#turns.fillRecord(record);
  }

  /** The connection has ended. */
  fail(error: ConecError): void {
    for (const stream of this.#idle) {
      stream.twin?.fail(error);
      stream.fail(error);
    }
    for (const stream of this.#sending.values()) stream.fail(error);
    for (const stream of this.#receiving.values()) stream.fail(error);
    this.#turns.clear();
    this.#credit.clear();
    this.#endings = [];
  }

  // What streams ask for.

  sendLater(stream: SendStream): void {
    if (stream.id === undefined && !this.#open(stream)) {
      this.#unopened[stream.kind].add(stream);
      return;
    }
    if (!stream.isReady) return;
    this.#turns.add(stream);
    this.#owner.sendSoon();
  }

  sendEnded(stream: SendStream): void {
    this.#idle.delete(stream);
    this.#unopened[stream.kind].delete(stream);
    this.#turns.delete(stream);
    if (stream.id === undefined) return;
    this.#sending.delete(stream.id);
    this.#checkFinished(stream.id);
  }

  reset(stream: SendStream, code: number): void {
    if (stream.id !== undefined) {
      this.#tell({ type: "reset-stream", id: stream.id, code, finalSize: stream.offset });
      return;
    }
    // The other end has never heard of it, and will not: so nothing can come back either.
    stream.twin?.fail(new ConecError("aborted", "The stream was aborted before it was opened", { source: "stream" }));
  }

  stop(stream: ReceiveStream, code: number): void {
    this.#tell({ type: "stop-sending", id: stream.id!, code });
  }

  consumed(stream: ReceiveStream, bytes: number): void {
    this.#credit.consume(stream, bytes);
    if (this.#credit.isDue) this.#owner.sendSoon();
  }

  receiveEnded(stream: ReceiveStream): void {
    this.#credit.end(stream);
    if (stream.id === undefined) return;
    this.#receiving.delete(stream.id);
    this.#checkFinished(stream.id);
  }

  // What comes in.

  #receiveData({ id, offset, data, fin }: StreamFrame): void {
    const stream = this.#receiver(id);
    if (stream === undefined) throw new QmuxError("STREAM_STATE_ERROR", "bytes of a stream that has ended");
    if (!stream.isOpen) throw new QmuxError("FINAL_SIZE_ERROR", "bytes behind the end of a stream");
    if (offset !== stream.window.received) throw new QmuxError("PROTOCOL_VIOLATION", "bytes that are not next");
    this.#credit.receive(stream, data.length);
    stream.receive(data, fin);
  }

  #receiveReset(id: number, code: number, finalSize: number): void {
    const stream = this.#receiver(id);
    if (stream === undefined || !stream.isOpen) return;
    // Bytes that will not come count as if they had (RFC 9000, section 4.5). There are implementations of QMux that
    // give a size which is too small.
    const missing = Math.max(0, finalSize - stream.window.received);
    this.#credit.receive(stream, missing);
    this.consumed(stream, missing);
    stream.reset(code);
  }

  /** The stream that this frame of the other end is about, or undefined if it is over. */
  #receiver(id: number): ReceiveStream | undefined {
    this.#meet(id, "in");
    return this.#receiving.get(id);
  }

  #sender(id: number): SendStream | undefined {
    this.#meet(id, "out");
    return this.#sending.get(id);
  }

  /** A frame is about one direction of this stream: accepts the stream if it is new. */
  #meet(id: number, direction: "in" | "out"): void {
    const index = Math.floor(id / 4);
    const kind = kindOf(id);
    const isPeers = this.#isPeers(id);
    if (kind === "unidirectional" && isPeers !== (direction === "in")) {
      throw new QmuxError("STREAM_STATE_ERROR", "a frame against the direction of its stream");
    }
    if (isPeers) {
      if (this.#peers[kind].see(index)) this.#accept(id, kind);
    } else if (!this.#own[kind].has(index)) {
      throw new QmuxError("STREAM_STATE_ERROR", "a frame for a stream that was not opened");
    }
  }

  #accept(id: number, kind: StreamKind): void {
    const receive = new ReceiveStream(this, this.#newWindow(), id);
    this.#receiving.set(id, receive);
    const send = kind === "bidirectional" ? new SendStream(this, kind) : undefined;
    if (send !== undefined) this.#sending.set(id, send);
    send?.open(id, this.#peer!.maxStreamDataBidiLocal);
    this.#owner.onStream(receive, send);
  }

  #allowData(limit: number): void {
    this.#turns.allow(limit);
    this.#owner.sendSoon();
  }

  #allowStreams(kind: StreamKind, limit: number): void {
    if (!this.#own[kind].allow(limit)) return;
    for (const stream of this.#unopened[kind]) {
      if (!this.#open(stream)) return;
      this.#unopened[kind].delete(stream);
      this.sendLater(stream);
    }
  }

  // What goes out.

  /** False if the record has no room for all. So below. */
  #fillEndings(record: RecordWriter): boolean {
    let told = 0;
    while (told < this.#endings.length && record.add(this.#endings[told]!)) told += 1;
    this.#endings.splice(0, told);
    return this.#endings.length === 0;
  }

  #fillStreamCredit(record: RecordWriter): boolean {
    for (const kind of streamKinds) {
      if (!record.hasRoom(maxFrameBytes)) return false;
      const limit = this.#peers[kind].update();
      if (limit === undefined) continue;
      record.add(encodeFrame({ type: "max-streams", unidirectional: kind === "unidirectional", limit }));
    }
    return true;
  }

  #tell(frame: ControlFrame): void {
    this.#endings.push(encodeFrame(frame));
    this.#owner.sendSoon();
  }

  /** False if the other end does not allow one more stream yet. */
  #open(stream: SendStream): boolean {
    const id = this.#peer === undefined ? undefined : this.#own[stream.kind].take();
    if (id === undefined) return false;
    this.#idle.delete(stream);
    this.#sending.set(id, stream);
    stream.open(id, this.#peer![stream.kind === "unidirectional" ? "maxStreamDataUni" : "maxStreamDataBidiRemote"]);
    if (stream.twin !== undefined) {
      this.#receiving.set(id, stream.twin);
      stream.twin.open(id);
    }
    return true;
  }

  #newWindow(): ReceiveWindow {
    return new ReceiveWindow(streamWindowBytes.initial, this.#owner.nowMs());
  }

  #checkFinished(id: number): void {
    if (!this.#isPeers(id) || this.#sending.has(id) || this.#receiving.has(id)) return;
    const ids = this.#peers[kindOf(id)];
    ids.finish();
    if (ids.isDue) this.#owner.sendSoon();
  }

  #isPeers(id: number): boolean {
    return (id & idBits.byServer) !== this.#ownBit;
  }
}

type Kinds<T> = Record<StreamKind, T>;

const maxErrorCode = 0xffff_ffff;
