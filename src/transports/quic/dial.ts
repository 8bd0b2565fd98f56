// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from "node:crypto";

import { ConecError } from "../../core/errors.ts";
import type { Binding, Engine, EngineConfig } from "./binding.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import { defaultConnectionLimits } from "./connection-limits.ts";
import { QuicConnection } from "./connection.ts";
import type { ConnectionEvents } from "./connection.ts";
import type { PathProfile } from "./datagram-sizes.ts";
import { Driver } from "./driver.ts";
import { serverCertificate } from "./server-certificate.ts";
import type { ServerIdentity } from "./server-identity.ts";
import { openUdpEndpoint } from "./udp/open-udp-endpoint.ts";
import type { UdpMode } from "./udp/open-udp-endpoint.ts";
import type { UdpAddress } from "./udp/udp-endpoint.ts";

export interface DialOptions {
  binding: Binding;
  /** The ALPN that the config offers. */
  protocol: string;
  profileFor: (largestDatagram: number | undefined) => ClientProfile;
  identity: ServerIdentity;
  /** As the user named it. */
  host: string;
  remote: UdpAddress;
  family: 4 | 6;
  localAddress: string | undefined;
  udp: UdpMode | undefined;
  keepAliveIntervalMs: number;
  signal: AbortSignal;
}

export interface ClientProfile extends PathProfile {
  config: EngineConfig;
}

/** Connects to one address, over a socket of its own. Resolves when the server's identity was checked. */
export async function dial(options: DialOptions): Promise<QuicConnection> {
  const { binding, identity, host, remote, signal } = options;
  let events: ConnectionEvents | undefined;
  let connected = false;

  const bind = options.localAddress === undefined ? undefined : { host: options.localAddress, port: 0 };
  const endpoint = await openUdpEndpoint({ family: options.family, bind, connect: remote }, options.udp);
  let profile: ClientProfile;
  let engine: Engine;
  try {
    signal.throwIfAborted();
    profile = options.profileFor(endpoint.largestDatagram(remote.host));
    engine = binding.connect(identity.engineName(host), profile.config);
  } catch (error) {
    void endpoint.close();
    throw error;
  }

  return new Promise<QuicConnection>((resolve, reject) => {
    const giveUp = (error: unknown) => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
    };
    const onAbort = () => {
      giveUp(signal.reason);
      driver.close({ closeCode: 0, reason: "" });
    };
    const driver = new Driver({
      engine,
      endpoint,
      role: "client",
      peer: undefined,
      datagramCandidates: profile.datagramCandidates,
      streamWindowBytes: profile.maxStreamWindowBytes,
      keepAliveIntervalMs: options.keepAliveIntervalMs,
      maxOpeningBytes,
      limits: defaultConnectionLimits,
      events: {
        onEstablished: () => {
          assertProtocol(engine, options.protocol);
          const certificates = engine.peerCertificates();
          identity.verify(certificates, host);
          connected = true;
          signal.removeEventListener("abort", onAbort);
          const known = {
            remote: { host: remote.host, port: remote.port, certificates },
            server: serverCertificate(new X509Certificate(certificates[0]!)),
          };
          resolve(new QuicConnection("quic", driver, known, (wanted) => (events = wanted)));
        },
        onStream: (receive, send) => events?.onStream(receive, send),
        onEnd: (end) => {
          endpoint.unref();
          events?.onEnd(end);
          if (!connected) giveUp(whyNotConnected(engine, end, options));
        },
        onReleased: () => void endpoint.close(),
      },
    });
    endpoint.receive({
      onDatagram: (datagram) => driver.receive(datagram),
      onError: (cause) => {
        // Once connected, it may be forged, or the server may be coming back: its silence or its reset will tell.
        const why = connected ? undefined : unreachable[cause.code ?? ""];
        if (why === undefined) return;
        giveUp(new ConecError("unreachable", `Cannot connect to ${remote.host}:${remote.port}: ${why}`, { cause }));
        driver.release();
      },
    });
    signal.addEventListener("abort", onAbort, { once: true });
    driver.process();
  });
}

function assertProtocol(engine: Engine, protocol: string): void {
  if (engine.applicationProtocol() === protocol) return;
  throw new ConecError("alpn-mismatch", `The server does not speak ${protocol}`, { remote: true });
}

function whyNotConnected(engine: Engine, end: ConnectionEnd, { identity, host, remote }: DialOptions): ConecError {
  const where = `${host} (${remote.host}:${remote.port})`;
  if ("info" in end) return new ConecError("refused", `${where} closed at once: ${end.info.reason}`, { remote: true });
  if (engine.peerError() !== null || end.error.code !== "protocol-error") {
    return engine.isTimedOut() ? new ConecError("timeout", `${where} does not answer`) : end.error;
  }
  const alert = engine.localError()?.errorCode ?? 0;
  const chain = engine.peerCertificates();
  if (alert < firstTlsAlert || alert > lastTlsAlert || chain.length === 0) return end.error;
  return identity.explain(chain, host, alert);
}

/** What a connected socket reports when the network has said so (ICMP), or this machine knows it by itself. */
const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  EACCES: "it is prohibited",
};

/** What a server may send before the handshake is complete: a long chain, and all of it several times. */
const maxOpeningBytes = 256 * 1024;

/** TLS alerts as QUIC error codes (RFC 9001, section 4.8). */
const firstTlsAlert = 0x100;
const lastTlsAlert = 0x1ff;
