// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { TcpNetConnectOpts } from "node:net";
import { checkServerIdentity, connect, createSecureContext } from "node:tls";
import type { ConnectionOptions, SecureContext, TLSSocket } from "node:tls";

import { ConecError } from "../../../core/errors.ts";
import { ServerIdentity } from "../../quic/server-identity.ts";
import type { CertificateHash } from "../../quic/server-identity.ts";

export interface TlsOptions {
  /** Authorities to trust, PEM. Default: those of Node or of the system. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** Trust exactly these server certificates, whoever issued them and for whatever name. */
  serverCertificateHashes?: readonly CertificateHash[] | undefined;
  /** The name to expect in the server's certificate. Default: the host of the URL. */
  serverName?: string | undefined;
  /** The address of this machine to send from. */
  localAddress?: string | undefined;
}

/** A TLS connection to a server whose identity was checked, and its certificate chain, leaf first. */
export interface TlsConnection {
  readonly socket: TLSSocket;
  readonly certificates: readonly X509Certificate[];
}

/** Dials servers over TCP and TLS, and makes sure of them as `quic()` does: same options, same errors. */
export class TlsDialler {
  readonly #options: TlsOptions;
  readonly #identity: ServerIdentity;
  #context: SecureContext | undefined;

  /** @throws ConecError `invalid-argument` */
  constructor(options: TlsOptions) {
    if (options.localAddress !== undefined && isIP(options.localAddress) === 0) {
      throw new ConecError("invalid-argument", "Cannot use `localAddress`: it is not an IP address");
    }
    this.#options = options;
    this.#identity = new ServerIdentity(options);
  }

  /**
   * Of several addresses, the next one is tried when the one before is slow (RFC 8305).
   *
   * @throws ConecError `unreachable`, `certificate-…`, `alpn-mismatch`; the signal's reason
   */
  async dial(host: string, port: number, signal: AbortSignal): Promise<TlsConnection> {
    const name = this.#options.serverName ?? host;
    const options: ConnectionOptions & TcpNetConnectOpts = {
      host,
      port,
      localAddress: this.#options.localAddress,
      autoSelectFamily: true,
      secureContext: (this.#context ??= this.#createContext()),
      ...(isIP(name) === 0 && { servername: name }),
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: false, // `#verify` does, before a byte is sent: it knows pins too, and says what was wrong
    };
    const socket = connect(options);
    const giveUp = (): void => void socket.destroy();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await secured(socket, `${host}:${port}`);
      const certificates = chainOf(socket);
      this.#verify(socket, certificates, host);
      return { socket, certificates };
    } catch (error) {
      socket.destroy();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  #createContext(): SecureContext {
    const { ca } = this.#identity.tls;
    // Without a list of one's own, Node's is there already.
    return createSecureContext(this.#options.ca === undefined || ca === null ? {} : { ca });
  }

  #verify(socket: TLSSocket, certificates: readonly X509Certificate[], host: string): void {
    const chain = certificates.map(({ raw }) => raw);
    if (this.#options.serverCertificateHashes === undefined && !socket.authorized) {
      const code = String(socket.authorizationError);
      throw this.#identity.explain(chain, host, alerts.get(code) ?? unknownAuthority);
    }
    this.#identity.verify(chain, host);
  }
}

/** What Node says about a certificate as QUIC would: 0x100 and an alert of TLS (RFC 9001, section 4.8). */
const alerts = new Map([
  ["CERT_HAS_EXPIRED", 0x12d],
  ["CERT_NOT_YET_VALID", 0x12d],
  ["ERR_TLS_CERT_ALTNAME_INVALID", 0x12e],
]);
const unknownAuthority = 0x130;

/** Resolves when the handshake is complete. */
function secured(socket: TLSSocket, place: string): Promise<void> {
  let hasConnected = false;
  return new Promise((resolve, reject) => {
    socket.once("connect", () => (hasConnected = true));
    socket.once("secureConnect", resolve);
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const isNoTls = hasConnected && (cause.code === "EPROTO" || cause.code?.startsWith("ERR_SSL_") === true);
      const code = isNoTls ? "alpn-mismatch" : "unreachable";
      const why = isNoTls ? `what is at ${place} does not speak TLS with us` : cause.message || cause.code;
      reject(new ConecError(code, `Cannot connect to ${place}: ${why}`, { remote: hasConnected, cause }));
    });
    socket.once("close", () => reject(new ConecError("unreachable", `Cannot connect to ${place}: it hung up`)));
  });
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: { raw?: Buffer; issuerCertificate?: object } | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined) {
    const certificate = new X509Certificate(next.raw);
    if (chain.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256)) break; // issued by itself
    chain.push(certificate);
    next = next.issuerCertificate;
  }
  return chain;
}
