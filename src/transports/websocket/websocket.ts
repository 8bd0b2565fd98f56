// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { Connection, ConnectOptions, Transport } from "../../core/transport.ts";
import { BrowserSocket } from "./browser-socket.ts";
import { checkedTimes, parseTarget } from "./connect-options.ts";
import type { CommonConnectOptions, Target } from "./connect-options.ts";
import { WebSocketConnection } from "./connection.ts";
import { defaultConnectionLimits } from "./connection-limits.ts";
import { subprotocol } from "./subprotocol.ts";
import type { WebSocketConstructor, WebSocketLike } from "./web-socket-like.ts";
import { withDeadline } from "./with-deadline.ts";

export interface BrowserWebSocketOptions extends CommonConnectOptions {
  /** The class to use. Default: `globalThis.WebSocket`. */
  WebSocket?: WebSocketConstructor | undefined;
}

/**
 * Dials a Coordinator over WebSocket, from a browser: for networks that let no UDP pass, and browsers without
 * WebTransport.
 *
 * The server's certificate must be one that the browser trusts: a page cannot name authorities or pin a certificate, as
 * it can for WebTransport. Nor is it told why a connection failed: nobody there, a certificate that is not trusted,
 * expired or for another name, an origin that was refused, all come as `unreachable`.
 *
 * `connect` rejects with ConecError `unsupported` where there is no WebSocket.
 *
 * @throws ConecError `invalid-argument`; `unsupported` for options that only Node can follow
 * @example
 * ```ts
 * const transport = [webtransport(), websocket()];
 * const client = await Client.connect("https://coordinator.example:4433", { transport });
 * ```
 */
export function websocket(options: BrowserWebSocketOptions = {}): Transport {
  checkOptions(options, "websocket");
  for (const name of ["ca", "serverCertificateHashes", "serverName", "localAddress"]) {
    if ((options as Record<string, unknown>)[name] === undefined) continue;
    throw new ConecError("unsupported", `Browsers do not let a page say \`${name}\` for a WebSocket`);
  }
  const { connectTimeoutMs, ...times } = checkedTimes(options);

  async function connect(url: string | URL, { signal }: ConnectOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    const target = parseTarget(url);
    const what = `Cannot connect to ${target.host}:${target.port}`;
    return withDeadline(connectTimeoutMs, what, signal, async (deadline) => {
      const socket = construct(target);
      const connection = await whenOpen(socket, target, deadline, () => {
        return new WebSocketConnection({
          socket: new BrowserSocket(socket),
          isServer: false,
          limits: defaultConnectionLimits,
          ...times,
          remote: { host: target.host, port: target.port },
          server: { certificateHashes: [] }, // which one it was, a browser does not tell
        });
      });
      deadline.addEventListener("abort", () => connection.close(), { once: true });
      await connection.ready;
      return connection;
    });
  }

  function construct({ href }: Target): WebSocketLike {
    const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket;
    if (typeof WebSocket !== "function") throw new ConecError("unsupported", "There is no WebSocket here");
    try {
      return new (WebSocket as WebSocketConstructor)(href, [subprotocol]);
    } catch (cause) {
      throw new ConecError("invalid-argument", `Cannot connect to ${href}: ${reasonText(cause)}`, { cause });
    }
  }

  return { name: "websocket", connect };
}

/** Makes something of the WebSocket in the moment when it is open, so before a message comes. Closes it if that fails. */
async function whenOpen<T>(socket: WebSocketLike, { href }: Target, deadline: AbortSignal, make: () => T): Promise<T> {
  try {
    return await new Promise<T>((resolve, reject) => {
      const fail = (why: string): void => {
        reject(new ConecError("unreachable", `Cannot open a WebSocket to ${href}: ${why}`));
      };
      socket.addEventListener("open", () => {
        if (socket.protocol === subprotocol) resolve(make());
        else reject(new ConecError("alpn-mismatch", `The server at ${href} does not speak conec`, { remote: true }));
      });
      socket.addEventListener("error", () => fail("the browser does not tell why"));
      socket.addEventListener("close", ({ code }) => fail(`closed with ${code}`));
      deadline.addEventListener("abort", () => reject(deadline.reason), { once: true });
    });
  } catch (error) {
    socket.close();
    throw error;
  }
}
