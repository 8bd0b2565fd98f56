// SPDX-License-Identifier: Apache-2.0
import { createServer } from "node:https";
import type { Server } from "node:https";

import { ConecError } from "../../../core/errors.ts";
import { parseIdentity } from "../../quic/pem.ts";
import type { Identity, Pem } from "../../quic/pem.ts";
import { checkedInteger } from "../connect-options.ts";

export interface HttpsHostOptions {
  host?: string | undefined;
  port?: number | undefined;
  cert: Pem;
  key: Pem;
}

/** Method, path and headers of a request. A browser's are below 2 KiB. */
const maxHeaderBytes = 8192;

/** The server of a listener that has one for itself. It answers plain requests, and nothing else. */
export class HttpsHost {
  readonly server: Server;

  /** @throws ConecError `address-in-use`, `invalid-argument` */
  static async open(options: HttpsHostOptions, timeoutMs: number): Promise<HttpsHost> {
    const port = checkedInteger("port", options.port ?? 0, 0, 65_535);
    const host = new HttpsHost(parseIdentity(options.cert, options.key), timeoutMs);
    const { server } = host;
    await new Promise<void>((resolve, reject) => {
      const fail = (cause: NodeJS.ErrnoException): void => {
        const code = cause.code === "EADDRINUSE" ? "address-in-use" : "invalid-argument";
        const place = `${options.host ?? ""}:${port}`;
        reject(new ConecError(code, `Cannot listen on TCP ${place}: ${cause.message}`, { cause }));
      };
      server.once("error", fail);
      server.listen({ host: options.host, port }, () => {
        server.off("error", fail);
        resolve();
      });
    });
    // A connection that cannot be accepted, for example for want of file descriptors, ends nothing but itself.
    server.on("error", () => {});
    return host;
  }

  private constructor({ cert, key }: Identity, timeoutMs: number) {
    this.server = createServer(
      {
        cert,
        key,
        ALPNProtocols: ["http/1.1"],
        maxHeaderSize: maxHeaderBytes,
        handshakeTimeout: timeoutMs,
      },
      (request, response) => {
        request.resume();
        const headers = { connection: "upgrade, close", upgrade: "websocket", "content-type": "text/plain" };
        response.writeHead(426, headers).end("This is for WebSockets\n");
      },
    );
  }

  /** @throws ConecError `invalid-argument` */
  updateCertificate(cert: Pem, key: Pem): void {
    const identity = parseIdentity(cert, key);
    this.server.setSecureContext({ cert: identity.cert, key: identity.key });
  }

  /** Stops listening; resolves when all connections have ended. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }
}
