// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { Connection, ConnectOptions, Transport } from "../../core/transport.ts";
import { closeWithPage } from "./close-with-page.ts";
import { WebTransportConnection } from "./connection.ts";
import { FailsComponentsHandshake } from "./fails-components/handshake.ts";
import type { HandshakeFailure } from "./fails-components/handshake.ts";
import { failsComponentsOptions } from "./fails-components/options.ts";
import { FailsComponentsSession } from "./fails-components/session.ts";
import type { CertificateHash, WebTransportConstructor, WebTransportLike } from "./web-transport-like.ts";
import { ignore } from "../../streams/ignore.ts";

/** What {@link webtransport} takes. */
export interface WebTransportOptions {
  /**
   * Trust exactly the server certificates with these hashes. Browsers take only ECDSA P-256 certificates that are valid
   * for at most 14 days. Default: what the browser trusts.
   */
  serverCertificateHashes?: readonly CertificateHash[] | undefined;
  /**
   * The class to use, such as that of `@fails-components/webtransport` in Node. It also gets options that only that one
   * knows. Default: `globalThis.WebTransport`.
   */
  WebTransport?: WebTransportConstructor | undefined;
  /** How long `connect` may take. Default 10000. */
  connectTimeoutMs?: number | undefined;
}

/**
 * Dials a Coordinator over WebTransport, from a browser or with a class of the same shape.
 *
 * Browsers do not tell a page why a session could not be opened: nobody at that address, a certificate that is not
 * trusted, expired or not the one of the hash, a path or an origin that was refused, all come as `unreachable`. Error
 * codes of streams that a browser sends may be cut: Chromium makes 255 of any that is larger. conec's own streams say
 * code and reason on the control stream, where nothing is lost.
 *
 * In Node, the class of `@fails-components/webtransport` (1.6.8 was tested, over HTTP/2) dials servers that listen with
 * `conec/webtransport-server`. Of a `conec/quic` listener, which speaks HTTP/3, it needs the package's HTTP/3 addon. With
 * it `connect` rejects with `unreachable`, `certificate-…`, `alpn-mismatch` or, for an answer other than 200, `refused`.
 *
 * `connect` rejects with ConecError `unsupported` where there is no WebTransport.
 *
 * @throws ConecError `invalid-argument`
 * @example
 * ```ts
 * const client = await Client.connect("https://coordinator.example:4433", { transport: webtransport() });
 * ```
 */
export function webtransport(options: WebTransportOptions = {}): Transport {
  const { connectTimeoutMs = 10_000 } = checkOptions(options, "webtransport");
  const serverCertificateHashes = options.serverCertificateHashes?.map(({ algorithm, value }) => ({
    algorithm,
    value: bytesOf(value),
  }));
  if (!Number.isInteger(connectTimeoutMs) || connectTimeoutMs < 1 || connectTimeoutMs > maxTimerMs) {
    throw new ConecError("invalid-argument", `connectTimeoutMs must be an integer from 1 to ${maxTimerMs}`);
  }

  /** What may be the hash of the server's certificate, where hashes were given. */
  const trusted = serverCertificateHashes?.filter(({ algorithm }) => algorithm === "sha-256").map(({ value }) => value);

  async function connect(url: string | URL, { signal }: ConnectOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    const { href, remote } = parseUrl(url);
    const session = await open(href, signal);
    const care = FailsComponentsSession.of(session);
    const handshake = FailsComponentsHandshake.of(session, trusted);
    session.closed.catch(ignore);
    const ready: Promise<HandshakeFailure | undefined> = session.ready.then(
      () => handshake?.fault(),
      (cause: unknown) =>
        handshake?.failure(care?.status) ?? { code: "unreachable", message: failureText(cause, options), cause },
    );
    try {
      const failure = await inTime(ready, href, signal);
      if (failure === undefined) {
        const server = { certificateHashes: handshake?.met ?? trusted ?? [] };
        const connection = new WebTransportConnection({ session, remote, server, care });
        closeWithPage(connection);
        return connection;
      }
      const { code, message, cause } = failure;
      throw new ConecError(code, `Cannot open a session with ${href}: ${message}`, {
        remote: code === "refused",
        cause,
      });
    } catch (error) {
      closeQuietly(session);
      handshake?.giveUp();
      throw error;
    }
  }

  async function open(href: string, signal: AbortSignal | undefined): Promise<WebTransportLike> {
    const WebTransport = options.WebTransport ?? (globalThis as { WebTransport?: unknown }).WebTransport;
    if (typeof WebTransport !== "function") {
      throw new ConecError("unsupported", "There is no WebTransport here, or not on a page that is not https");
    }
    const deadlineMs = performance.now() + connectTimeoutMs;
    for (;;) {
      try {
        return new (WebTransport as WebTransportConstructor)(href, {
          ...(serverCertificateHashes !== undefined && { serverCertificateHashes }),
          ...(options.WebTransport !== undefined && {
            ...failsComponentsOptions,
            quicConnectTimeout: maxTimerMs,
          }),
        });
      } catch (cause) {
        if (!isStillLoading(cause) || performance.now() > deadlineMs) {
          const code = nameOf(cause) === "NotSupportedError" ? "unsupported" : "invalid-argument";
          throw new ConecError(code, `Cannot connect to ${href}: ${reasonText(cause)}`, { cause });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, loadingPollMs));
      signal?.throwIfAborted();
    }
  }

  /** @throws ConecError `timeout`; the signal's reason */
  async function inTime<T>(pending: Promise<T>, href: string, signal: AbortSignal | undefined): Promise<T> {
    let giveUp!: (reason: unknown) => void;
    const givenUp = new Promise<never>((_resolve, reject) => (giveUp = reject));
    const timeout = new ConecError("timeout", `Cannot connect to ${href}: no answer within ${connectTimeoutMs} ms`);
    const timer = setTimeout(() => giveUp(timeout), connectTimeoutMs);
    const onAbort = (): void => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([pending, givenUp]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  return { name: "webtransport", connect };
}

/** A browser says the same few words whatever the reason, so that pages cannot explore what is around them. */
function failureText(cause: unknown, { WebTransport }: WebTransportOptions): string {
  const said = reasonText(cause).replace(/\.$/, "");
  return WebTransport === undefined ? `${said}. ${possibleReasons}` : said;
}

const possibleReasons =
  "A browser does not tell a page why. The certificate may be untrusted, expired, valid for over 14 days, or not that of " +
  "serverCertificateHashes; the server may not allow the page's origin; nobody may be there, or UDP be blocked. The " +
  "browser's console says more";

const maxTimerMs = 2 ** 31 - 1;
const loadingPollMs = 10;

/** `@fails-components/webtransport` refuses to dial until it knows whether it has its HTTP/3 addon. */
function isStillLoading(thrown: unknown): boolean {
  return /loading attempt did not end/.test(reasonText(thrown));
}

function parseUrl(url: string | URL): { href: string; remote: { host: string; port: number } } {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new ConecError("invalid-argument", `Cannot connect to ${String(url).slice(0, 100)}: not a URL`, { cause });
  }
  if (parsed.protocol !== "https:") {
    throw new ConecError("invalid-argument", `Cannot connect to ${parsed.href}: only https: URLs are dialled`);
  }
  const port = parsed.port === "" ? 443 : Number(parsed.port);
  return { href: parsed.href, remote: { host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"), port } };
}

/** A copy, since there are implementations that take the whole buffer under a view. */
function bytesOf(value: BufferSource): Uint8Array<ArrayBuffer> {
  if (value instanceof ArrayBuffer) return new Uint8Array(value.slice(0));
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  throw new ConecError("invalid-argument", "The `value` in `serverCertificateHashes` must be bytes");
}

function closeQuietly(session: WebTransportLike): void {
  try {
    session.close();
  } catch {
    // It has failed already.
  }
}

function nameOf(thrown: unknown): unknown {
  return typeof thrown === "object" && thrown !== null ? (thrown as { name?: unknown }).name : undefined;
}
