// SPDX-License-Identifier: Apache-2.0
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

import { ConecError } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { Connection, ConnectOptions, Transport } from "../../core/transport.ts";
import { assertRange, loadBinding } from "./binding.ts";
import type { Binding, EngineConfig } from "./binding.ts";
import { parseClientIdentity } from "./client-certificates.ts";
import { conecProtocol, createEngineConfig, http3Protocol } from "./config.ts";
import { assertMaxDatagramBytes, pathProfile } from "./datagram-sizes.ts";
import { dial } from "./dial.ts";
import type { ClientProfile } from "./dial.ts";
import { firstToConnect } from "./first-to-connect.ts";
import type { Pem } from "./pem.ts";
import { ServerIdentity } from "./server-identity.ts";
import type { CertificateHash } from "./server-identity.ts";
import { assertUdpMode } from "./udp/open-udp-endpoint.ts";
import type { UdpMode } from "./udp/open-udp-endpoint.ts";

/** What {@link quic} takes. */
export interface QuicOptions {
  /** Authorities to trust, PEM. Default: those of Node or of the system. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** Trust exactly these server certificates, whoever issued them and for whatever name. */
  serverCertificateHashes?: readonly CertificateHash[] | undefined;
  /** The name to expect in the server's certificate. Default: the host of the URL. */
  serverName?: string | undefined;
  /**
   * This Client's own certificate chain, PEM, leaf first, at most 16 KiB; shown to servers that ask for one
   * (`clientCertificates` of a listener). Over TLS 1.3 a server looks at it last: if it does not take it, `connect` has
   * resolved, and the connection ends with `certificate-untrusted` or `certificate-expired`, or with `certificate-required`
   * if there is none.
   */
  cert?: Pem | undefined;
  /** The key of `cert`, PEM: Ed25519, ECDSA or RSA. */
  key?: Pem | undefined;
  /**
   * Largest UDP payload, 1200 to 65527. Only what was proven to arrive is used. Default: what
   * the network takes, up to 16376.
   */
  maxDatagramBytes?: number | undefined;
  /** How long `connect` may take. Default 10000. */
  connectTimeoutMs?: number | undefined;
  /** A connection on which nothing is heard for this long is lost. Default 15000. */
  idleTimeoutMs?: number | undefined;
  /** A connection on which nothing was heard for about this long is asked for a sign of life. Default 5000. */
  keepAliveIntervalMs?: number | undefined;
  /** The address of this machine to send from. */
  localAddress?: string | undefined;
  /** How datagrams pass between conec and the kernel. Default `auto`. */
  udp?: UdpMode | undefined;
}

/** Dials Coordinators over QUIC. */
export interface QuicTransport extends Transport {
  /** From now on servers are shown this certificate; connections that are open go on. @throws ConecError `invalid-argument` */
  updateCertificate(identity: { cert: Pem; key: Pem }): void;
}

const defaultPort = 443;

/**
 * Dials a Coordinator over QUIC.
 *
 * @throws ConecError `invalid-argument`
 * @example
 * ```ts
 * const connection = await quic({ ca }).connect("https://coordinator.example:4433");
 * ```
 */
export function quic(options: QuicOptions = {}): QuicTransport {
  return dialler(conecProtocol, checkOptions(options, "quic"));
}

/** Dials servers that speak a protocol over QUIC, named as in ALPN. */
export function dialler(protocol: string, options: QuicOptions): QuicTransport {
  const { maxDatagramBytes, localAddress, udp } = options;
  const connectTimeoutMs = assertRange("connectTimeoutMs", options.connectTimeoutMs ?? 10_000, 1, maxTimerMs);
  const idleTimeoutMs = assertRange("idleTimeoutMs", options.idleTimeoutMs ?? 15_000, 1, maxTimerMs);
  const keepAliveIntervalMs = assertRange("keepAliveIntervalMs", options.keepAliveIntervalMs ?? 5000, 1, maxTimerMs);
  assertMaxDatagramBytes(maxDatagramBytes);
  assertUdpMode(udp);
  if (localAddress !== undefined && isIP(localAddress) === 0) {
    throw new ConecError("invalid-argument", "Cannot use `localAddress`: it is not an IP address");
  }
  const identity = new ServerIdentity(options);
  let own = parseClientIdentity(options.cert, options.key);
  const configs = new Map<string, EngineConfig>();

  function profileFor(binding: Binding, host: string, largestDatagram: number | undefined): ClientProfile {
    const profile = pathProfile(host, { maxDatagramBytes, idleTimeoutMs, largestDatagram });
    const kind = `${profile.maxStreamWindowBytes} ${profile.maxDatagramBytes}`;
    let config = configs.get(kind);
    if (config === undefined) {
      const tls = { ...identity.tls, cert: own?.cert ?? null, key: own?.key ?? null };
      config = createEngineConfig(binding, tls, {
        ...profile,
        applicationProtocols: [protocol],
        datagrams: protocol === http3Protocol,
      });
      configs.set(kind, config);
    }
    return { ...profile, config };
  }

  async function connect(url: string | URL, { signal }: ConnectOptions = {}): Promise<Connection> {
    const { host, port } = parseUrl(url);
    return withDeadline(connectTimeoutMs, `Cannot connect to ${host}:${port}`, signal, async (deadline) => {
      const binding = await loadBinding();
      const addresses = await resolve(host, localAddress);
      deadline.throwIfAborted();
      return firstToConnect(addresses, deadline, (address, stop) => {
        return dial({
          binding,
          protocol,
          profileFor: (largestDatagram) => profileFor(binding, address.address, largestDatagram),
          identity,
          host,
          remote: { host: address.address, port },
          family: address.family,
          localAddress,
          udp,
          keepAliveIntervalMs,
          signal: stop,
        });
      });
    });
  }

  function updateCertificate({ cert, key }: { cert: Pem; key: Pem }): void {
    own = parseClientIdentity(cert, key);
    configs.clear();
  }

  return { name: "quic", connect, updateCertificate };
}

const maxTimerMs = 2 ** 31 - 1;

function parseUrl(url: string | URL): { host: string; port: number } {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new ConecError("invalid-argument", `Cannot connect to ${String(url)}: not a URL`, { cause });
  }
  if (parsed.protocol !== "https:") {
    throw new ConecError("invalid-argument", `Cannot connect to ${parsed.href}: only https: URLs are dialled`);
  }
  const port = parsed.port === "" ? defaultPort : Number(parsed.port);
  if (port === 0) throw new ConecError("invalid-argument", `Cannot connect to ${parsed.href}: port 0`);
  return { host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

async function resolve(host: string, localAddress: string | undefined): Promise<ResolvedAddress[]> {
  let found: { address: string; family: number }[];
  try {
    found = await lookup(host, { all: true, verbatim: true });
  } catch (cause) {
    throw new ConecError("unreachable", `Cannot find the address of ${host}`, { cause });
  }
  const family = localAddress === undefined ? 0 : isIP(localAddress);
  const usable = found.filter((each): each is ResolvedAddress => family === 0 || each.family === family);
  if (usable.length === 0) throw new ConecError("unreachable", `${host} has no address of the family of localAddress`);
  return usable;
}

/** Runs `work` with a signal that aborts with `timeout` after the time, or with the caller's reason. */
async function withDeadline<T>(
  timeoutMs: number,
  what: string,
  signal: AbortSignal | undefined,
  work: (deadline: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new ConecError("timeout", `${what}: no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  const onAbort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const aborted = new Promise<never>((_resolve, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
  });
  try {
    return await Promise.race([work(controller.signal), aborted]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
