// SPDX-License-Identifier: Apache-2.0
import { reasonText } from "../../../core/errors.ts";
import type { ConecErrorCode } from "../../../core/errors.ts";
import { guardPings, http2WindowBytes } from "./http2-connection.ts";
import type { Http2Connection } from "./http2-connection.ts";

/**
 * The handshake of a `WebTransport` of `@fails-components/webtransport` over HTTP/2, looked at from the side: the class
 * says of any failure that it failed, and it does not keep to `serverCertificateHashes` when an authority that the
 * machine trusts has signed the certificate, whoever it is for (seen in version 1.6.8).
 */
export class FailsComponentsHandshake {
  readonly #dialling: Dialling;
  readonly #trusted: readonly Uint8Array[] | undefined;
  #certificate: Certificate | undefined;
  #error: { code?: unknown; message?: unknown } | undefined;

  /**
   * To be called right after the session was made. Undefined for any other class.
   *
   * @param trusted SHA-256 of the certificates that the server may have, if that was said
   */
  static of(session: object, trusted: readonly Uint8Array[] | undefined): FailsComponentsHandshake | undefined {
    const dialling = (session as { sessionint?: { parentobj?: Dialling } }).sessionint?.parentobj;
    return dialling === undefined ? undefined : new FailsComponentsHandshake(dialling, trusted);
  }

  private constructor(dialling: Dialling, trusted: readonly Uint8Array[] | undefined) {
    this.#dialling = dialling;
    this.#trusted = trusted;
    const http2 = dialling.transportInt?.clientInt;
    http2?.on("error", (error) => (this.#error ??= error));
    if (http2 !== undefined) guardPings(http2);
    http2?.once("connect", () => {
      if (http2.destroyed) return;
      http2.settings({ initialWindowSize: http2WindowBytes });
      http2.setLocalWindowSize(http2WindowBytes);
    });
    // Before the package's own listener, which may end the connection.
    http2?.socket?.prependListener("secureConnect", () => this.#look());
  }

  /** SHA-256 of the certificate that the server has shown; undefined where that cannot be seen. */
  get met(): Uint8Array[] | undefined {
    this.#look();
    return this.#certificate?.fingerprint256 === undefined ? undefined : [fromHex(this.#certificate.fingerprint256)];
  }

  /** Why the server is not the right one although the handshake went well. */
  fault(): HandshakeFailure | undefined {
    const [met] = this.met ?? [];
    if (met === undefined || this.#trusted === undefined) return undefined;
    if (this.#trusted.some((hash) => String(hash) === String(met))) return undefined;
    return { code: "certificate-untrusted", message: "its certificate has none of the hashes that were given" };
  }

  /** Why the handshake failed; undefined where that is not known. */
  failure(status: number | undefined): HandshakeFailure | undefined {
    const fault = this.fault();
    if (fault !== undefined) return fault;
    if (this.#trusted !== undefined && this.#certificate !== undefined && !isValid(this.#certificate)) {
      return { code: "certificate-expired", message: "its certificate is not valid now, or for more than 14 days" };
    }
    if (status !== undefined) return { code: "refused", message: `it answered with status ${status}` };
    return this.#error && { code: codeOf(this.#error), message: reasonText(this.#error), cause: this.#error };
  }

  /** Leaves nothing behind of a handshake that nobody waits for any more. */
  giveUp(): void {
    const http2 = this.#dialling.transportInt?.clientInt;
    if (http2 === undefined || http2.destroyed) return;
    // The class throws when it is told of a connection that it has no longer.
    http2.socket?.removeAllListeners("secureConnect");
    http2.removeAllListeners("connect");
    // With an error, or the class would go on waiting.
    http2.destroy(new Error("given up"));
  }

  #look(): void {
    try {
      this.#certificate ??= this.#dialling.transportInt?.clientInt?.socket?.getPeerCertificate();
    } catch {
      // The connection has lost its socket.
    }
  }
}

export interface HandshakeFailure {
  code: ConecErrorCode;
  message: string;
  cause?: unknown;
}

/** Bytes as Node spells a fingerprint: `AB:CD:…`. */
function fromHex(fingerprint: string): Uint8Array {
  return Uint8Array.from(fingerprint.split(":"), (byte) => Number.parseInt(byte, 16));
}

/** W3C WebTransport, "custom certificate requirements": valid now, and for two weeks at most. */
function isValid({ valid_from, valid_to }: Certificate): boolean {
  const [from, to] = [Date.parse(valid_from), Date.parse(valid_to)];
  return from <= Date.now() && Date.now() <= to && to - from <= 14 * 24 * 3_600_000;
}

/** What an error of Node's TLS or HTTP/2 means. */
function codeOf({ code }: { code?: unknown }): ConecErrorCode {
  const name = String(code);
  if (name === "CERT_HAS_EXPIRED" || name === "CERT_NOT_YET_VALID") return "certificate-expired";
  if (name === "ERR_TLS_CERT_ALTNAME_INVALID") return "certificate-name-mismatch";
  if (/CERT|SIGNATURE|ISSUER/.test(name)) return "certificate-untrusted";
  return name.startsWith("ERR_HTTP2") || name.startsWith("ERR_SSL") ? "alpn-mismatch" : "unreachable";
}

/** What is used of the package's `HttpClient`. */
interface Dialling {
  transportInt?: { clientInt?: Http2Client };
}

interface Http2Client extends Http2Connection {
  socket?: {
    prependListener(event: "secureConnect", listener: () => void): unknown;
    removeAllListeners(event: "secureConnect"): unknown;
    getPeerCertificate(): Certificate;
  };
  on(event: "error", listener: (error: { code?: unknown; message?: unknown }) => void): unknown;
  once(event: "connect", listener: () => void): unknown;
  settings(settings: { initialWindowSize: number }): void;
  removeAllListeners(event: "connect"): unknown;
  destroy(error: Error): void;
}

/** Of Node's `PeerCertificate`. */
interface Certificate {
  fingerprint256: string;
  valid_from: string;
  valid_to: string;
}
