// SPDX-License-Identifier: Apache-2.0
import { hkdfSync } from "node:crypto";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { Address, CloseInfo, Connection, Listener, ServerCertificate } from "../../core/transport.ts";
import { Acceptor } from "./acceptor.ts";
import type { ServerProfile } from "./acceptor.ts";
import { defaultAdmissionLimits } from "./admission.ts";
import type { AdmissionLimits } from "./admission.ts";
import { assertRange, loadBinding } from "./binding.ts";
import type { Binding, TlsOptions } from "./binding.ts";
import { clientCertificateBytes, parseClientCertificates, tlsOfRules } from "./client-certificates.ts";
import type { ClientCertificateRules, ClientCertificates } from "./client-certificates.ts";
import {
  conecProtocol,
  createEngineConfig,
  createTlsConfig,
  http3Protocol,
  maxOriginalIdBytesWithDatagrams,
} from "./config.ts";
import { defaultConnectionLimits } from "./connection-limits.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { assertMaxDatagramBytes, pathProfile } from "./datagram-sizes.ts";
import type { PathOptions } from "./datagram-sizes.ts";
import { PushQueue } from "../../streams/push-queue.ts";
import type { QuicListenerStats } from "./listener-stats.ts";
import { parseIdentity } from "./pem.ts";
import type { Identity } from "./pem.ts";
import { serverCertificate } from "./server-certificate.ts";
import { assertUdpMode, openUdpEndpoint } from "./udp/open-udp-endpoint.ts";
import type { UdpMode } from "./udp/open-udp-endpoint.ts";
import type { UdpEndpoint } from "./udp/udp-endpoint.ts";

/** What `listen` of `conec/quic` takes. */
export interface QuicListenOptions {
  /** Where to listen. Default: everywhere, over IPv6 and IPv4. */
  host?: string | undefined;
  /** Default 0: a free one, see `listener.address`. */
  port?: number | undefined;
  /** Certificate chain, PEM, leaf first. */
  cert: string | Uint8Array;
  /** PEM: Ed25519, ECDSA (P-256 for browsers that pin it), or RSA. */
  key: string | Uint8Array;
  /** Asks Clients for certificates of their own, beside the key that every Client proves. Default: they are not asked. */
  clientCertificates?: ClientCertificates | undefined;
  /** As in {@link QuicOptions}. */
  maxDatagramBytes?: number | undefined;
  idleTimeoutMs?: number | undefined;
  limits?: Partial<QuicListenLimits> | undefined;
  /**
   * Origins of the pages that may connect over WebTransport, as browsers spell them: `https://app.example`. Others get
   * the answer 403; programs that are no browsers name no origin and are let in. Default: any.
   */
  allowedOrigins?: readonly string[] | undefined;
  /**
   * Lets Clients notice a restart at once (RFC 9000, section 10.3): at least 32 bytes, the same before and after. By
   * default it comes from `key`.
   */
  statelessResetKey?: Uint8Array | undefined;
  /** As in {@link QuicOptions}. */
  udp?: UdpMode | undefined;
  /** Ends the call. An open listener is closed by `close`. */
  signal?: AbortSignal | undefined;
}

/** What a peer may cost before and after its handshake. See each for its default. */
export type QuicListenLimits = AdmissionLimits & ConnectionLimits;

/** Takes connections over QUIC and WebTransport. */
export interface QuicListener extends Listener {
  /**
   * New connections get the new certificate, and are asked for theirs by the new rules if some are given; those that are open
   * go on. @throws ConecError `invalid-argument`, `unsupported`
   */
  updateCertificate(identity: Pick<QuicListenOptions, "cert" | "key" | "clientCertificates">): void;
  getStats(): Promise<QuicListenerStats>;
}

/**
 * Takes connections over QUIC.
 *
 * @throws ConecError `address-in-use`, `invalid-argument`, `unsupported`
 * @example
 * ```ts
 * const listener = await listen({ port: 4433, cert, key });
 * for await (const connection of listener.incomingConnections) serve(connection);
 * ```
 */
export async function listen(given: QuicListenOptions): Promise<QuicListener> {
  const options = checkOptions(given, "listen");
  const { signal, maxDatagramBytes, statelessResetKey, udp } = options;
  signal?.throwIfAborted();
  const identity = parseIdentity(options.cert, options.key);
  const clientCertificates = options.clientCertificates && parseClientCertificates(options.clientCertificates);
  const idleTimeoutMs = assertRange("idleTimeoutMs", options.idleTimeoutMs ?? 15_000, 1, 2 ** 31 - 1);
  const port = assertRange("port", options.port ?? 0, 0, 65_535);
  const limits = checkedLimits(options.limits);
  const allowedOrigins = options.allowedOrigins && new Set(options.allowedOrigins.map(checkedOrigin));
  assertMaxDatagramBytes(maxDatagramBytes);
  assertUdpMode(udp);
  if (statelessResetKey !== undefined && statelessResetKey.length < 32) {
    throw new ConecError("invalid-argument", "Cannot use `statelessResetKey`: it is shorter than 32 bytes");
  }
  const binding = await loadBinding();
  const configs = new ServerConfigs(binding, identity, clientCertificates);
  const endpoint = await bind(options.host, port, udp);
  if (signal?.aborted === true) {
    await endpoint.close();
    throw signal.reason;
  }
  const incoming = new PushQueue<Connection>((connection) => {
    connection.close({ reason: "Nobody takes connections" });
  });
  const acceptor = new Acceptor({
    binding,
    endpoint,
    profileFor: (host, originalId) => {
      const largestDatagram = endpoint.largestDatagram(host);
      return configs.profileFor(host, originalId, { maxDatagramBytes, idleTimeoutMs, largestDatagram });
    },
    statelessResetKey: statelessResetKey ?? deriveResetKey(identity),
    limits,
    allowedOrigins,
    onConnection: (connection) => incoming.push(connection),
  });
  endpoint.receive({ onDatagram: (datagram, from) => acceptor.receive(datagram, from) });
  return new UdpListener(endpoint, acceptor, incoming, configs);
}

class UdpListener implements QuicListener {
  readonly transport = "quic";
  readonly address: Address;
  readonly closed: Promise<void>;
  readonly #endpoint: UdpEndpoint;
  readonly #acceptor: Acceptor;
  readonly #incoming: PushQueue<Connection>;
  readonly #configs: ServerConfigs;
  #resolveClosed!: () => void;

  constructor(endpoint: UdpEndpoint, acceptor: Acceptor, incoming: PushQueue<Connection>, configs: ServerConfigs) {
    this.#endpoint = endpoint;
    this.#acceptor = acceptor;
    this.#incoming = incoming;
    this.#configs = configs;
    this.address = endpoint.address;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get incomingConnections(): ReadableStream<Connection> {
    return this.#incoming.readable((connection) => connection);
  }

  updateCertificate({
    cert,
    key,
    clientCertificates,
  }: Pick<QuicListenOptions, "cert" | "key" | "clientCertificates">): void {
    this.#configs.replace(parseIdentity(cert, key), clientCertificates && parseClientCertificates(clientCertificates));
  }

  async getStats(): Promise<QuicListenerStats> {
    return this.#acceptor.getStats();
  }

  async close(info: Partial<CloseInfo> = {}): Promise<void> {
    this.#acceptor.stop(checkCloseInfo(info));
    this.#incoming.close();
    await this.#endpoint.close();
    this.#resolveClosed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The engine's configurations for the certificates in use, made when first needed. */
class ServerConfigs {
  readonly #binding: Binding;
  readonly #made = new Map<string, ServerProfile>();
  #tls!: TlsOptions;
  #server!: ServerCertificate;
  #clientCertificates: ClientCertificateRules | undefined;

  /** @throws ConecError `invalid-argument`, `unsupported` */
  constructor(binding: Binding, identity: Identity, clientCertificates: ClientCertificateRules | undefined) {
    this.#binding = binding;
    this.replace(identity, clientCertificates);
  }

  profileFor(host: string, originalId: Uint8Array | undefined, options: PathOptions): ServerProfile {
    const datagrams = originalId === undefined || originalId.length <= maxOriginalIdBytesWithDatagrams;
    const profile = pathProfile(host, options);
    const kind = `${datagrams} ${profile.maxStreamWindowBytes} ${profile.maxDatagramBytes}`;
    let made = this.#made.get(kind);
    if (made === undefined) {
      const config = createEngineConfig(this.#binding, this.#tls, {
        ...profile,
        applicationProtocols: [conecProtocol, http3Protocol],
        datagrams,
      });
      const certificateBytes = this.#tls.verifyPeer ? clientCertificateBytes : 0;
      made = { ...profile, config, server: this.#server, certificateBytes };
      this.#made.set(kind, made);
    }
    return made;
  }

  /** Without rules for Clients, they stay. @throws ConecError `invalid-argument`, `unsupported`: all is as it was */
  replace({ cert, key, leaf }: Identity, clientCertificates = this.#clientCertificates): void {
    const tls = { ...tlsOfRules(clientCertificates), cert, key };
    // What the engine does not take, it had better say now than when somebody dials.
    createTlsConfig(this.#binding, tls);
    this.#tls = tls;
    this.#server = serverCertificate(leaf);
    this.#clientCertificates = clientCertificates;
    this.#made.clear();
  }
}

async function bind(host: string | undefined, port: number, udp: UdpMode | undefined): Promise<UdpEndpoint> {
  const bindTo = (address: string) =>
    openUdpEndpoint({ family: isIP(address) === 6 ? 6 : 4, bind: { host: address, port } }, udp);
  if (host !== undefined) return bindTo(await resolve(host));
  try {
    return await bindTo("::");
  } catch (error) {
    if (!(error instanceof ConecError) || error.code === "address-in-use") throw error;
    // No IPv6 on this machine.
    return bindTo("0.0.0.0");
  }
}

async function resolve(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    throw new ConecError("invalid-argument", `Cannot listen on ${host}: its address cannot be found`, { cause });
  }
}

function checkedLimits(limits: Partial<QuicListenLimits> = {}): QuicListenLimits {
  const all = { ...defaultAdmissionLimits, ...defaultConnectionLimits };
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(all, name)) throw new ConecError("invalid-argument", `There is no limit called ${name}`);
    if (value !== undefined) all[name as keyof QuicListenLimits] = assertRange(name, value, 0, Number.MAX_SAFE_INTEGER);
  }
  return all;
}

/** An origin as browsers send it (RFC 6454, section 6.2): a scheme, a host, a port unless it is the default. */
function checkedOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
  throw new ConecError("invalid-argument", `Cannot use \`allowedOrigins\`: ${origin} is not an origin`);
}

function deriveResetKey({ keyBytes }: Identity): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", keyBytes, "", "conec stateless reset", 32));
}
