// SPDX-License-Identifier: Apache-2.0
import type { Http2SecureServer } from "node:http2";
import { setImmediate } from "node:timers/promises";

import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError, reasonText } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type {
  Address,
  CloseInfo,
  Connection,
  Listener,
  ListenerStats,
  ServerCertificate,
} from "../../core/transport.ts";
import { WebTransportConnection } from "../webtransport/connection.ts";
import { failsComponentsOptions } from "../webtransport/fails-components/options.ts";
import { FailsComponentsSession } from "../webtransport/fails-components/session.ts";
import { certificateOf } from "./certificate.ts";
import { Http2Connections } from "./http2-connections.ts";
import { checkedOrigin, isFor, remoteOf, statusFor } from "./request.ts";
import type { RequestRules } from "./request.ts";
import type {
  RequestAnswer,
  RequestCallback,
  RequestHeader,
  SessionRequest,
  SessionStreamLike,
  WebTransportServerLike,
  WebTransportServerSessionLike,
} from "./web-transport-server-like.ts";

/** What `listen` of `conec/webtransport-server` takes beside the server. */
export interface WebTransportListenOptions {
  /**
   * The path of the URLs that Clients dial, such as `/conec`. A session that asks for another one is the business of a
   * request callback that the server had before, or is answered with 404. Default: any path.
   */
  path?: string | undefined;
  /**
   * Origins of the pages that may connect, as browsers spell them: `https://app.example`. Others get the answer 403;
   * programs that are no browsers name no origin and are let in. Default: any.
   */
  allowedOrigins?: readonly string[] | undefined;
  /** Ends the call. An open listener is closed by `close`. */
  signal?: AbortSignal | undefined;
}

/**
 * Takes connections from a server of `@fails-components/webtransport`: its `Http2Server`, or its `Http3Server` where the
 * package's HTTP/3 addon is installed. The server must not have been started: `listen` starts it, with windows and numbers
 * of streams as conec needs them where its options say nothing of these, and closing the listener stops it.
 *
 * What a peer sends over HTTP/2 ends its own session at most; the package by itself (1.6.8) would end the process for a
 * single wrong capsule. Not bounded here: how many TCP connections and sessions there are (a Coordinator has its limits
 * for sessions), and HTTP/1 requests, which are never answered. A session may leave up to 24 MiB unread. Sessions for
 * which a request callback of your own has said yes are yours to protect. WebSocket, which the package speaks as well, is
 * refused. Browsers use an `Http3Server` only.
 *
 * @throws ConecError `address-in-use`, `invalid-argument`, `unsupported`, `timeout`, or the signal's reason
 * @example
 * ```ts
 * import { Http2Server } from "@fails-components/webtransport";
 *
 * const server = new Http2Server({ port: 4433, host: "0.0.0.0", secret, cert, privKey });
 * coordinator.serve(await listen(server, { path: "/conec" }));
 * ```
 */
export async function listen(
  server: WebTransportServerLike,
  options: WebTransportListenOptions = {},
): Promise<Listener> {
  const { path, allowedOrigins, signal } = checkOptions(options, "listen");
  signal?.throwIfAborted();
  const rules = { path, allowedOrigins: allowedOrigins && new Set(allowedOrigins.map(checkedOrigin)) };
  if (path !== undefined && !path.startsWith("/")) {
    throw new ConecError("invalid-argument", `path must begin with a slash, unlike ${path}`);
  }
  checkServer(server);
  server.args = { ...failsComponentsOptions, ...server.args };
  await createTransport(server);
  const http2 = (server as ServerInternals).transportInt?.serverInt;
  const listener = new WebTransportListener(server, rules, http2 && new Http2Connections(http2));
  try {
    await listener.start(signal);
  } catch (error) {
    await listener.close();
    throw error;
  }
  return listener;
}

class WebTransportListener implements Listener {
  readonly transport = "webtransport";
  readonly incomingConnections: ReadableStream<Connection>;
  readonly closed: Promise<void>;
  readonly #server: WebTransportServerLike;
  readonly #rules: RequestRules;
  readonly #http2: Http2Connections | undefined;
  readonly #certificate: ServerCertificate | undefined;
  readonly #connections = new Map<Connection, Promise<unknown>>();
  #incoming: ReadableStreamDefaultController<Connection> | undefined;
  #address: Address = { host: "", port: 0 };
  #resolveClosed!: () => void;
  #closing: Promise<void> | undefined;

  constructor(server: WebTransportServerLike, rules: RequestRules, http2: Http2Connections | undefined) {
    this.#server = server;
    this.#rules = rules;
    this.#http2 = http2;
    this.#certificate = certificateOf(server.args);
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.incomingConnections = new ReadableStream({
      start: (controller) => void (this.#incoming = controller),
      cancel: () => void (this.#incoming = undefined),
    });
  }

  get address(): Address {
    return this.#address;
  }

  /** Resolves when the server listens. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    const others = (this.#server as ServerInternals).requestHandler ?? undefined;
    // Without a callback the server tells other windows than it keeps, and uploads stop at 16 KiB (version 1.6.8).
    this.#server.setRequestCallback(async (request) => {
      const answer = await this.#answer(request, others);
      // A refusal that the package sends in the same turn as the request came is lost (seen on Node 26).
      if (answer.status !== 200) await setImmediate();
      return answer;
    });
    void this.#take(this.#sessions());
    this.#server.startServer();
    await whenReady(this.#server, signal);
    const { host, port } = this.#server.address() ?? this.#address;
    this.#address = { host, port };
  }

  async getStats(): Promise<ListenerStats> {
    return { connections: this.#connections.size };
  }

  async close(info: Partial<CloseInfo> = {}): Promise<void> {
    const checked = checkCloseInfo(info);
    await (this.#closing ??= this.#close(checked));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Where the server is to put the sessions of this listener. */
  get #sessionPath(): string {
    return this.#rules.path ?? "/";
  }

  async #answer(request: SessionRequest, others: RequestCallback | undefined): Promise<RequestAnswer> {
    const { header } = request;
    const isOurs = isFor(header, this.#rules);
    if (!isOurs && others !== undefined) return await others(request);
    const status = this.#closing !== undefined ? 503 : isOurs ? statusFor(header, this.#rules) : 404;
    return { status, path: this.#sessionPath, userData: { header } };
  }

  /** @throws ConecError `invalid-argument` */
  #sessions(): ReturnType<SessionStreamLike["getReader"]> {
    try {
      return this.#server.sessionStream(this.#sessionPath, { noAutoPaths: true }).getReader();
    } catch (cause) {
      throw new ConecError("invalid-argument", `Cannot listen: somebody reads sessions of ${this.#sessionPath}`, {
        cause,
      });
    }
  }

  async #take(reader: ReturnType<SessionStreamLike["getReader"]>): Promise<void> {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      this.#accept(next.value as WebTransportServerSessionLike);
    }
    // Whoever made the server has stopped it.
    void this.close();
  }

  /** Does at once what must be done before anything comes in. */
  #accept(session: WebTransportServerSessionLike): void {
    const care = FailsComponentsSession.of(session);
    session.closed.catch(ignore);
    session.ready.then(() => {
      const { header = {} } = (session.userData ?? {}) as { header?: RequestHeader };
      const remote = remoteOf(header, session.peerAddress);
      const connection = new WebTransportConnection({ session, remote, server: this.#certificate, care });
      this.#connections.set(connection, session.closed.catch(ignore));
      const forget = (): void => void this.#connections.delete(connection);
      session.closed.then(forget, forget);
      if (this.#closing !== undefined) connection.close();
      else if (this.#incoming === undefined) connection.close({ reason: "Nobody takes connections" });
      else this.#incoming.enqueue(connection);
    }, ignore);
  }

  async #close(info: CloseInfo): Promise<void> {
    const sessions = [...this.#connections.values()];
    for (const connection of this.#connections.keys()) connection.close(info);
    this.#incoming?.close();
    this.#incoming = undefined;
    this.#server.stopServer();
    await within(lingerMs, Promise.all(sessions));
    await this.#http2?.close();
    await within(lingerMs, this.#server.closed);
    this.#resolveClosed();
  }
}

/** @throws ConecError `invalid-argument` */
function checkServer(server: ServerInternals & WebTransportServerLike): void {
  if (typeof server?.sessionStream !== "function" || typeof server.setRequestCallback !== "function") {
    throw new ConecError("invalid-argument", "Cannot listen: that is no server of @fails-components/webtransport");
  }
  if (typeof server.transportInt === "object" || server.address() !== null) {
    throw new ConecError("invalid-argument", "Cannot listen: the server has been started already, which is done here");
  }
  if ((server.args as { reliability?: unknown }).reliability === "both") {
    throw new ConecError("invalid-argument", "Cannot listen: take an Http2Server and an Http3Server, each by itself");
  }
}

/** @throws ConecError `unsupported`, `invalid-argument` */
async function createTransport(server: ServerInternals): Promise<void> {
  try {
    await server.createTransportInt?.();
  } catch (cause) {
    if ((server.args as { reliability?: unknown }).reliability !== "reliableOnly" && cause instanceof TypeError) {
      const message = "HTTP/3 needs the package @fails-components/webtransport-transport-http3-quiche";
      throw new ConecError("unsupported", message, { cause });
    }
    // The package keeps the text of what was wrong in the stack only.
    const [said] = String((cause as Error).stack).split("\n");
    throw new ConecError("invalid-argument", `Cannot listen: ${said}`, { cause });
  }
}

/** @throws ConecError `address-in-use`, `invalid-argument`, `timeout`, or the signal's reason */
async function whenReady(server: WebTransportServerLike, signal: AbortSignal | undefined): Promise<void> {
  let giveUp!: (reason: unknown) => void;
  const givenUp = new Promise<never>((_resolve, reject) => (giveUp = reject));
  const onAbort = (): void => giveUp(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => giveUp(new ConecError("timeout", "Cannot listen: the server does not start")),
    readyMs,
  );
  const ready = server.ready.catch((cause: unknown) => {
    const code = (cause as { code?: unknown }).code === "EADDRINUSE" ? "address-in-use" : "invalid-argument";
    throw new ConecError(code, `Cannot listen: ${reasonText(cause)}`, { cause });
  });
  try {
    await Promise.race([ready, givenUp]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Waits, but not longer than that. */
async function within(ms: number, pending: Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    pending.then(done, done);
  });
}

const readyMs = 10_000;
/** How long the other ends may take to let their sessions go. */
const lingerMs = 1000;

/** What conec looks at beside the package's public interface; what is not there is not looked at. */
interface ServerInternals {
  args: object;
  requestHandler?: RequestCallback | null;
  transportInt?: { serverInt?: Http2SecureServer };
  createTransportInt?(): Promise<void>;
}

function ignore(): void {}
