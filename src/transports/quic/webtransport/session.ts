// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../../core/errors.ts";
import type { CloseInfo, ConnectionStats } from "../../../core/transport.ts";
import { encodeVarints } from "../../../streams/varint.ts";
import type { ReceiveHalf, SendHalf } from "../../../streams/stream-halves.ts";
import type { Carrier, ConnectionEvents } from "../connection.ts";
import { streamErrorOf } from "../connection-end.ts";
import type { ConnectionEnd } from "../connection-end.ts";
import type { Driver } from "../driver.ts";
import type { SessionStream } from "../http3/connection.ts";
import { Http3Error, http3ErrorCodes } from "../http3/error-codes.ts";
import type { RequestStream } from "../http3/request-stream.ts";
import { TlvParser } from "../http3/tlv-parser.ts";
import { capsuleHandling, capsuleTypes, decodeClose, encodeClose } from "./capsules.ts";
import { webTransportErrorCodes } from "./error-codes.ts";
import { sessionStreamTypes } from "./settings.ts";

/**
 * The one WebTransport session of an HTTP/3 connection. It ends with the first of these: a close capsule of either
 * end, the end of its CONNECT stream (which is a close without words), an error of that stream, the end of the
 * connection.
 */
export class WebTransportSession implements Carrier {
  readonly streams: Carrier["streams"];
  /** Called for what comes in; to be set before anything can. */
  events!: ConnectionEvents;
  readonly #driver: Driver;
  readonly #request: RequestStream;
  readonly #controlStreamId: number;
  /** Called once the session is over and the other end has said so too. */
  readonly #onOver: () => void;
  #ended = false;

  /** @param controlStreamId of HTTP/3, whose end would be an error */
  constructor(driver: Driver, request: RequestStream, controlStreamId: number, onOver: () => void) {
    this.#driver = driver;
    this.#request = request;
    this.#controlStreamId = controlStreamId;
    this.#onOver = onOver;
    const preamble = (type: number) => encodeVarints(type, request.id);
    const [unidirectional, bidirectional] = [sessionStreamTypes.unidirectional, sessionStreamTypes.bidirectional];
    this.streams = {
      openBidirectional: (): { receive: ReceiveHalf; send: SendHalf } =>
        driver.streams.openBidirectional(preamble(bidirectional)),
      openUnidirectional: (): SendHalf => driver.streams.openUnidirectional(preamble(unidirectional)),
    };
  }

  get id(): number {
    return this.#request.id;
  }

  get isOver(): boolean {
    return this.#ended;
  }

  getStats(): ConnectionStats {
    return this.#driver.getStats();
  }

  onStream({ readable, send }: SessionStream): void {
    this.events.onStream({ readable }, send);
  }

  /** The QUIC connection has ended. */
  onConnectionEnd(end: ConnectionEnd): void {
    if ("error" in end) this.#end(end);
    else {
      // Whatever its code, it is one of HTTP/3 and not the application's word.
      const code = `0x${end.info.closeCode.toString(16)}`;
      const message = `The other end closed the HTTP/3 connection under the session (${code})`;
      this.#end({ error: new ConecError("connection-lost", message, { remote: true }) });
    }
  }

  close(info: CloseInfo): void {
    if (this.#ended) return;
    // The FIN must not travel alone: the engine may lose it.
    this.#request.send(encodeClose(info));
    this.#request.end();
    // The engine puts resets in front (draft-ietf-webtrans-http3, section 6, wants them). Chromium (156) ends the page's
    // process when a stream that the page reads is gone just before the page hears that the session is, and was not reset.
    this.#end({ info }, new Http3Error(webTransportErrorCodes.WT_SESSION_GONE, "a closed session", "stream"));
    this.#driver.flushSoon();
  }

  /** Takes the capsules of the CONNECT stream until it ends. @throws Http3Error for the connection */
  async run(): Promise<void> {
    const parser = new TlvParser(capsuleHandling);
    try {
      for await (const content of this.#request.body()) {
        for (const { type, payload } of parser.push(content)) {
          if (type === capsuleTypes.closeSession) this.#closeByPeer(decodeClose(payload));
        }
      }
      if (!parser.isComplete) throw new Http3Error(http3ErrorCodes.H3_MESSAGE_ERROR, "a capsule that is cut", "stream");
      this.#closeByPeer({ closeCode: 0, reason: "" });
    } catch (cause) {
      if (cause instanceof Http3Error && cause.scope === "connection") throw cause;
      if (cause instanceof Http3Error) this.#request.reset(cause);
      const broken = cause instanceof Http3Error ? "protocol-error" : "connection-lost";
      const message = `The session broke: ${cause instanceof Error ? cause.message : String(cause)}`;
      this.#end({ error: new ConecError(broken, message, { remote: true, cause }) });
    } finally {
      this.#onOver();
    }
  }

  #closeByPeer(info: CloseInfo): void {
    if (this.#ended) return;
    this.#request.end();
    this.#end({ info });
  }

  #end(end: ConnectionEnd, resetReason?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    const kept = new Set([this.id, this.#controlStreamId]);
    this.#driver.streams.failAllBut(kept, streamErrorOf(end), resetReason);
    this.events.onEnd(end);
  }
}
