// SPDX-License-Identifier: Apache-2.0
import type { TLSSocket } from "node:tls";
import { WebSocket } from "ws";

import { ConecError } from "../../../core/errors.ts";
import { checkOptions } from "../../../core/options.ts";
import type { Connection, ConnectOptions, Transport } from "../../../core/transport.ts";
import { serverCertificate } from "../../quic/server-certificate.ts";
import { checkedTimes, parseTarget } from "../connect-options.ts";
import type { CommonConnectOptions, Target } from "../connect-options.ts";
import { WebSocketConnection } from "../connection.ts";
import { defaultConnectionLimits } from "../connection-limits.ts";
import { subprotocol } from "../subprotocol.ts";
import { withDeadline } from "../with-deadline.ts";
import { TlsDialler } from "./dial-tls.ts";
import type { TlsOptions } from "./dial-tls.ts";
import { NodeSocket } from "./node-socket.ts";
import { wsOptions } from "./ws-options.ts";

/** What {@link websocket} takes in Node. */
export interface WebSocketOptions extends CommonConnectOptions, TlsOptions {}

/**
 * Dials a Coordinator over WebSocket, from Node: for networks that let no UDP pass. The URL is the same as for other
 * transports, `https://host:port/path`; the port is one of TCP.
 *
 * `connect` rejects with the errors of {@link Transport.connect}; `refused` where the server does not take this Client.
 *
 * @throws ConecError `invalid-argument`
 * @example
 * ```ts
 * const client = await Client.connect("https://coordinator.example:4433", { transport: [quic(), websocket()] });
 * ```
 */
export function websocket(options: WebSocketOptions = {}): Transport {
  const { connectTimeoutMs, ...times } = checkedTimes(checkOptions(options, "websocket"));
  const dialler = new TlsDialler(options);

  async function connect(url: string | URL, { signal }: ConnectOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    const target = parseTarget(url);
    const what = `Cannot connect to ${target.host}:${target.port}`;
    return withDeadline(connectTimeoutMs, what, signal, async (deadline) => {
      const { socket, certificates } = await dialler.dial(target.host, target.port, deadline);
      const remote = {
        host: socket.remoteAddress ?? target.host,
        port: target.port,
        certificates: certificates.map(({ raw }) => raw),
      };
      const connection = await whenOpen(socket, target, deadline, (webSocket) => {
        return new WebSocketConnection({
          socket: new NodeSocket(webSocket, socket),
          isServer: false,
          limits: defaultConnectionLimits,
          ...times,
          remote,
          server: serverCertificate(certificates[0]!),
        });
      });
      deadline.addEventListener("abort", () => connection.close(), { once: true });
      await connection.ready;
      return connection;
    });
  }

  return { name: "websocket", connect };
}

/** Opens a WebSocket over a socket, and makes something of it in the moment when it is open, so before a message comes. */
async function whenOpen<T>(
  socket: TLSSocket,
  { href, host, port }: Target,
  deadline: AbortSignal,
  make: (webSocket: WebSocket) => T,
): Promise<T> {
  const webSocket = new WebSocket(href, [subprotocol], {
    ...wsOptions,
    followRedirects: false,
    createConnection: () => socket,
  });
  const giveUp = (): void => webSocket.terminate();
  deadline.addEventListener("abort", giveUp, { once: true });
  try {
    return await new Promise<T>((resolve, reject) => {
      webSocket.once("open", () => resolve(make(webSocket)));
      webSocket.on("error", reject); // also after it was opened: what follows is said by "close"
      webSocket.once("unexpected-response", (_request, { statusCode = 0 }) => reject(refusal(statusCode)));
    });
  } catch (cause) {
    webSocket.terminate();
    socket.destroy();
    deadline.throwIfAborted();
    if (cause instanceof ConecError) throw cause;
    // A fault of the socket has a code, one of the handshake has none.
    const isSocket = (cause as NodeJS.ErrnoException).code !== undefined;
    const message = `Cannot open a WebSocket to ${host}:${port}: ${(cause as Error).message}`;
    throw new ConecError(isSocket ? "unreachable" : "alpn-mismatch", message, { remote: true, cause });
  } finally {
    deadline.removeEventListener("abort", giveUp);
  }
}

/** What an answer without an upgrade means. */
function refusal(status: number): ConecError {
  return refusals.has(status)
    ? new ConecError("refused", `The server refuses a WebSocket (status ${status})`, { remote: true })
    : new ConecError("alpn-mismatch", `The server has no WebSocket of conec (status ${status})`, { remote: true });
}

/** RFC 9110, sections 15.5.2, 15.5.4 and 15.6.4; RFC 6585, section 4. */
const refusals: ReadonlySet<number> = new Set([401, 403, 429, 503]);
