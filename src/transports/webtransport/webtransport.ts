import { ConecError, reasonText } from "../../core/errors.ts";
import type { Connection, ConnectOptions, Transport } from "../../core/transport.ts";
import { WebTransportConnection } from "./connection.ts";
import type { CertificateHash, WebTransportConstructor, WebTransportLike } from "./web-transport-like.ts";

export interface WebTransportOptions {
  /**
   * Trust exactly the server certificates with these hashes. Browsers take only ECDSA P-256 certificates that are valid
   * for at most 14 days. Default: what the browser trusts.
   */
  serverCertificateHashes?: readonly CertificateHash[] | undefined;
  /** The class to use. Default: `globalThis.WebTransport`. */
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
 * `connect` rejects with ConecError `unsupported` where there is no WebTransport.
 *
 * @throws ConecError `invalid-argument`
 * @example
 * ```ts
 * const client = await Client.connect("https://coordinator.example:4433", { transport: webtransport() });
 * ```
 */
export function webtransport(options: WebTransportOptions = {}): Transport {
  const { serverCertificateHashes, connectTimeoutMs = 10_000 } = options;
  if (!Number.isInteger(connectTimeoutMs) || connectTimeoutMs < 1 || connectTimeoutMs > maxTimerMs) {
    throw new ConecError("invalid-argument", `connectTimeoutMs must be an integer from 1 to ${maxTimerMs}`);
  }

  async function connect(url: string | URL, { signal }: ConnectOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    const { href, remote } = parseUrl(url);
    const session = open(href);
    session.closed.catch(ignore);
    await whenReady(session, href, signal);
    return new WebTransportConnection(session, remote);
  }

  function open(href: string): WebTransportLike {
    const WebTransport = options.WebTransport ?? (globalThis as { WebTransport?: unknown }).WebTransport;
    if (typeof WebTransport !== "function") {
      throw new ConecError("unsupported", "There is no WebTransport here, or not on a page that is not https");
    }
    try {
      return new (WebTransport as WebTransportConstructor)(href, {
        ...(serverCertificateHashes !== undefined && { serverCertificateHashes: [...serverCertificateHashes] }),
      });
    } catch (cause) {
      const code = nameOf(cause) === "NotSupportedError" ? "unsupported" : "invalid-argument";
      throw new ConecError(code, `Cannot connect to ${href}: ${reasonText(cause)}`, { cause });
    }
  }

  async function whenReady(session: WebTransportLike, href: string, signal: AbortSignal | undefined): Promise<void> {
    let giveUp!: (reason: unknown) => void;
    const givenUp = new Promise<never>((_resolve, reject) => (giveUp = reject));
    const timeout = new ConecError("timeout", `Cannot connect to ${href}: no answer within ${connectTimeoutMs} ms`);
    const timer = setTimeout(() => giveUp(timeout), connectTimeoutMs);
    const onAbort = (): void => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const ready = session.ready.catch((cause: unknown) => {
      throw new ConecError("unreachable", `Cannot open a session with ${href}: ${reasonText(cause)}`, { cause });
    });
    ready.catch(ignore);
    try {
      await Promise.race([ready, givenUp]);
    } catch (error) {
      closeQuietly(session);
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  return { name: "webtransport", connect };
}

const maxTimerMs = 2 ** 31 - 1;

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

function ignore(): void {}
