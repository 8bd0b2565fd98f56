// SPDX-License-Identifier: Apache-2.0
import type { CloseInfo, Connection, Remote, ServerCertificate } from "../../../core/transport.ts";
import { unrefTimeout } from "../../../streams/timer.ts";
import { readVarint, varintLengthFrom } from "../../../streams/varint.ts";
import { QuicConnection } from "../connection.ts";
import type { ConnectionEnd } from "../connection-end.ts";
import type { Driver } from "../driver.ts";
import { Http3Connection } from "../http3/connection.ts";
import type { SessionStream } from "../http3/connection.ts";
import { Http3Error, http3ErrorCodes } from "../http3/error-codes.ts";
import type { RequestHead } from "../http3/request.ts";
import type { RequestStream } from "../http3/request-stream.ts";
import type { ReceiveStream } from "../receive-stream.ts";
import type { SendStream } from "../send-stream.ts";
import { EarlyStreams } from "./early-streams.ts";
import { webTransportErrorCodes, webTransportStreamErrorCodes } from "./error-codes.ts";
import { WebTransportSession } from "./session.ts";
import { serverSettings, sessionProtocols, sessionStreamTypes } from "./settings.ts";

export interface WebTransportServerOptions {
  driver: Driver;
  remote: Remote;
  server: ServerCertificate;
  /** Undefined: any. A request that names none is not one of a browser, and is let in. */
  allowedOrigins: ReadonlySet<string> | undefined;
  onConnection: (connection: Connection) => void;
}

/** A connection without a session is closed after this time. */
const sessionTimeoutMs = 10_000;
/** How long the QUIC connection stays after its session, so that what was said on it arrives. */
const lingerMs = 100;
const maxLingerMs = 1000;

/**
 * What is done on a QUIC connection with ALPN `h3`: one WebTransport session, which becomes a {@link Connection}. A
 * second one gets the answer 429, what asks for anything else 404, a page of an origin that is not allowed 403.
 */
export class WebTransportServer {
  readonly #options: WebTransportServerOptions;
  readonly #http3: Http3Connection;
  readonly #early = new EarlyStreams();
  #session: WebTransportSession | undefined;
  #stopTimer: () => void;
  #closeDueMs = Infinity;
  #isOver = false;

  constructor(options: WebTransportServerOptions) {
    this.#options = options;
    options.driver.streams.errorCodes = webTransportStreamErrorCodes;
    this.#http3 = new Http3Connection({
      streams: options.driver.streams,
      settings: serverSettings,
      sessionStreamTypes,
      handlers: {
        onRequest: (request) => this.#onRequest(request),
        onSessionStream: (sessionId, stream) => this.#onSessionStream(sessionId, stream),
        onError: (error) => this.#close(error.wireCode, `The other end sent ${error.message}`),
      },
    });
    this.#stopTimer = unrefTimeout(sessionTimeoutMs, () => this.#close(http3ErrorCodes.H3_NO_ERROR, "No session"));
  }

  onStream(receive: ReceiveStream, send: SendStream | undefined): void {
    this.#http3.onStream(receive, send);
  }

  /** Datagrams are of no use to conec: they are checked and thrown away (RFC 9297, section 2.1). */
  onDatagram(payload: Uint8Array): void {
    const first = payload[0];
    const isWhole = first !== undefined && varintLengthFrom(first) <= payload.length;
    if (isWhole && readVarint(payload, 0) < 2 ** 60) return;
    this.#close(http3ErrorCodes.H3_DATAGRAM_ERROR, "The other end sent a datagram without a stream id");
  }

  /** The QUIC connection has ended. */
  onEnd(end: ConnectionEnd): void {
    this.#isOver = true;
    this.#stopTimer();
    this.#session?.onConnectionEnd(end);
  }

  /** The listener closes: the session is told, and the connection ended in the same breath. */
  onStop(info: CloseInfo): void {
    this.#session?.close(info);
    this.#options.driver.flushNow();
    this.#close(http3ErrorCodes.H3_NO_ERROR, "");
  }

  async #onRequest(request: RequestStream): Promise<void> {
    const head = await request.readHead();
    // A session needs the settings of both ends (draft-ietf-webtrans-http3, section 3.1).
    await this.#http3.settings;
    // Something else on the connection may have ended it meanwhile.
    if (this.#isOver) return;
    if (head.method !== "CONNECT" || !sessionProtocols.has(head.protocol)) request.respondAndEnd(404);
    else if (this.#session !== undefined) request.respondAndEnd(429);
    else if (!this.#isAllowed(head)) request.respondAndEnd(403);
    else await this.#open(request, head);
  }

  async #open(request: RequestStream, { path, fields }: RequestHead): Promise<void> {
    const { driver, remote, server, onConnection } = this.#options;
    this.#stopTimer();
    request.respond(200, fields.has(draft02) ? [draft02Answer] : []);
    const session = new WebTransportSession(driver, request, this.#http3.controlStreamId, () =>
      this.#closeSoon(lingerMs),
    );
    const origin = fields.get("origin");
    const asker = { ...remote, ...(path !== undefined && { path }), ...(origin !== undefined && { origin }) };
    const known = { remote: asker, server };
    const connection = new QuicConnection("webtransport", session, known, (events) => (session.events = events));
    this.#session = session;
    void connection.closed.then(
      () => this.#closeSoon(maxLingerMs),
      () => this.#closeSoon(lingerMs),
    );
    onConnection(connection);
    const { own, others } = this.#early.takeAll(session.id);
    for (const stream of own) session.onStream(stream);
    for (const stream of others) reject(stream, webTransportErrorCodes.WT_SESSION_GONE);
    await session.run();
  }

  #isAllowed({ fields }: RequestHead): boolean {
    const origin = fields.get("origin");
    const { allowedOrigins } = this.#options;
    return allowedOrigins === undefined || origin === undefined || allowedOrigins.has(origin);
  }

  #onSessionStream(sessionId: number, stream: SessionStream): void {
    if (this.#session !== undefined) {
      if (sessionId === this.#session.id && !this.#session.isOver) this.#session.onStream(stream);
      else reject(stream, webTransportErrorCodes.WT_SESSION_GONE);
    } else if (!this.#early.keep(sessionId, stream)) {
      reject(stream, webTransportErrorCodes.WT_BUFFERED_STREAM_REJECTED);
    }
  }

  #closeSoon(ms: number): void {
    const dueMs = performance.now() + ms;
    if (dueMs >= this.#closeDueMs) return;
    this.#closeDueMs = dueMs;
    this.#stopTimer();
    this.#stopTimer = unrefTimeout(ms, () => this.#close(http3ErrorCodes.H3_NO_ERROR, ""));
  }

  #close(closeCode: number, reason: string): void {
    this.#options.driver.close({ closeCode, reason });
  }
}

function reject({ readable, send }: SessionStream, wireCode: number): void {
  const reason = new Http3Error(wireCode, "a stream without a session", "stream");
  readable.cancel(reason).catch(ignore);
  send?.writable.abort(reason).catch(ignore);
}

/** Chromium before 2024 insists on the answer. */
const draft02 = "sec-webtransport-http3-draft02";
const draft02Answer = ["sec-webtransport-http3-draft", "draft02"] as const;

function ignore(): void {}
