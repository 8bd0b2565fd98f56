// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { BlockList, isIP } from "node:net";
import type { AddressInfo } from "node:net";

import { ConecError } from "../index.ts";
import type { Address } from "../index.ts";
import type { LiveView } from "./live-view.ts";
import { prometheusContentType } from "./prometheus-text.ts";

/** Where an observer listens, and by which names it may be asked. */
export interface ObserverListenOptions {
  /** Where to listen. Default `127.0.0.1`: only this machine. */
  host?: string;
  /** A port of TCP. Default 0: a free one, see `address`. */
  port?: number;
  /**
   * Names by which it may be asked, beside addresses and `localhost`: what a proxy or a scraper has as `Host`. Other names get
   * the answer 403, lest a page of somebody else's reaches it under a name of its own. Default: none where only this machine is
   * listened to, any elsewhere.
   */
  hostnames?: readonly string[];
}

/** What it serves. */
interface Source {
  live(): Promise<LiveView>;
  prometheus(): Promise<string>;
}

interface Answer {
  readonly type: string;
  readonly body: string | Buffer;
}

/**
 * A small HTTP server beside a Coordinator; made by an observer's `listen`.
 *
 * @example
 * ```ts
 * const server = await observer.listen({ port: 9464 });
 * await server.close();
 * ```
 */
export class ObserverServer implements AsyncDisposable {
  /** Where it listens. */
  readonly address: Address;
  /** Resolves when it has been closed. */
  readonly closed: Promise<void>;
  readonly #server: Server;

  /** @internal */
  static async start(source: Source, options: ObserverListenOptions): Promise<ObserverServer> {
    const { host = "127.0.0.1", port = 0, hostnames } = options;
    const names = hostnames ?? (isLoopback(host) ? [] : undefined);
    const answers = await answersOf(source);
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      void answer(request, response, answers, names);
    };
    const server = createServer({ maxHeaderSize: 8192, ...timeoutsMs }, handle);
    server.maxConnections = 64;
    server.setTimeout(idleTimeoutMs);
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port)));
      try {
        server.listen({ host, port }, resolve);
      } catch (cause) {
        reject(listenError(cause as Error, host, port));
      }
    });
    return new ObserverServer(server);
  }

  private constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    this.#server = server;
    this.closed = new Promise((resolve) => server.once("close", resolve));
  }

  /** Stops listening and hangs up on everybody. Resolves when the port is free. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.closed;
  }

  /** As `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Nobody has longer for a request, nor between one and the next. */
const timeoutsMs = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
};
/** An answer that is not taken for so long is given up. */
const idleTimeoutMs = 15_000;

const headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

/** What there is, by path. */
async function answersOf(source: Source): Promise<ReadonlyMap<string, () => Promise<Answer>>> {
  const page = async (name: string, type: string): Promise<() => Promise<Answer>> => {
    const body = await readFile(new URL(`./page/${name}`, import.meta.url));
    return async () => ({ type, body });
  };
  return new Map([
    ["/", await page("index.html", "text/html; charset=utf-8")],
    ["/page.css", await page("page.css", "text/css; charset=utf-8")],
    ["/page.js", await page("page.js", "text/javascript; charset=utf-8")],
    ["/live.json", async () => ({ type: "application/json", body: JSON.stringify(await source.live()) })],
    ["/metrics", async () => ({ type: prometheusContentType, body: await source.prometheus() })],
    ["/health", async () => ({ type: "text/plain; charset=utf-8", body: "ok\n" })],
  ]);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  answers: ReadonlyMap<string, () => Promise<Answer>>,
  names: readonly string[] | undefined,
): Promise<void> {
  const say = (status: number, { type, body }: Answer, more: Record<string, string> = {}): void => {
    const length = String(Buffer.byteLength(body));
    response.writeHead(status, { ...headers, "content-type": type, "content-length": length, ...more });
    response.end(body);
  };
  const refuse = (status: number, text: string, more?: Record<string, string>): void =>
    say(status, { type: "text/plain; charset=utf-8", body: `${text}\n` }, more);

  const { method, url = "" } = request;
  if (method !== "GET" && method !== "HEAD")
    return refuse(405, "Only GET and HEAD", { allow: "GET, HEAD", connection: "close" });
  if ("transfer-encoding" in request.headers || (request.headers["content-length"] ?? "0") !== "0")
    return refuse(400, "A request has no body here", { connection: "close" });
  if (!mayAskBy(request.headers.host, names))
    return refuse(403, "Not by this name: ask by address or localhost, or allow the name (`hostnames`)");
  const make = answers.get(url.split("?", 1)[0]!);
  if (make === undefined) return refuse(404, "Not here");
  try {
    say(200, await make());
  } catch {
    // A Coordinator that cannot tell its figures has other worries.
    refuse(500, "The figures cannot be had");
  }
}

/** Whether the `Host` of a request is one by which it may come; `names` undefined: any. */
function mayAskBy(host: string | undefined, names: readonly string[] | undefined): boolean {
  if (names === undefined) return true;
  const name = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host ?? "");
  const [, ipv6, other = ""] = name ?? [];
  if (ipv6 !== undefined) return isIP(ipv6) === 6;
  return isIP(other) === 4 || ["localhost", ...names].includes(other.toLowerCase());
}

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === "localhost" : loopback.check(host, family === 6 ? "ipv6" : "ipv4");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): ConecError {
  const isTaken = cause.code === "EADDRINUSE";
  const message = isTaken
    ? `The port ${port} of TCP is taken`
    : `Cannot listen at ${host}, port ${port}: ${cause.message}`;
  return new ConecError(isTaken ? "address-in-use" : "invalid-argument", message, { cause });
}
