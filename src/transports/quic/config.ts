// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";
import { assertRange } from "./binding.ts";
import type { Binding, EngineConfig, TlsOptions } from "./binding.ts";

/** What a connection's engine is set up with, beside TLS. */
export interface ProtocolOptions {
  /** Largest UDP payload ever sent; the engine's unit of congestion control as well. */
  maxDatagramBytes: number;
  idleTimeoutMs: number;
  /** See {@link streamWindowBytes}. */
  maxStreamWindowBytes: number;
  /** What is spoken over it, by preference. Default: conec alone. */
  applicationProtocols?: readonly string[];
  /** Whether DATAGRAM frames are taken (RFC 9221), which WebTransport needs. Default false. */
  datagrams?: boolean;
}

/** The application protocol of conec over plain QUIC (RFC 7301). */
export const conecProtocol = "conec/1";

/** HTTP/3, for WebTransport (RFC 9114, section 3.1). */
export const http3Protocol = "h3";

/** Every path carries this much (RFC 9000, section 14). */
export const minDatagramBytes = 1200;

/** The engine builds no larger packet. */
export const engineMaxDatagramBytes = 16_383;

/** Of the largest that are used unasked, four fit into what the kernel takes in one piece, 65507 bytes. */
export const largeDatagramBytes = 16_376;

/** 1500 bytes of Ethernet less 48 of IPv6 and UDP headers. */
export const ethernetDatagramBytes = 1452;

/** The same with the shorter header of IPv4. */
export const ethernetDatagramBytes4 = 1472;

/** What one stream may hold unread at first (RFC 9000, section 4.1). */
export const initialStreamWindowBytes = 256 * 1024;

/**
 * How far the window of a stream that is read fast may grow. A long path needs it (4 MiB carry 40 MB/s at 100 ms); on
 * loopback, where a round trip takes less than a millisecond, more than 1 MiB only fills memory behind a stalled reader.
 */
export const streamWindowBytes = { loopback: 1024 * 1024, network: 4 * 1024 * 1024 };

/** MAX_DATA that gets lost is never repeated by the engine, so the connection as a whole is not limited by it. */
const connectionWindowBytes = 2 ** 40;

/**
 * Streams that the other end may have open, each way: far above what is used at once, because a lost MAX_STREAMS is
 * never repeated and resets leak credit. But no more, because the engine takes up to 1.7 KB for each stream that the other
 * end only names. The engine encodes its transport parameters into 128 bytes, and after a Retry they hold two connection ids
 * more: so this limit must do with two bytes, and so must that of the datagram size.
 */
export const maxStreams = 16_383;

/** Datagrams that the engine keeps until they are taken, once a turn; more than these are lost. */
const datagramQueue = 64;

/**
 * After a Retry the announcement of datagrams fits (see {@link maxStreams}) only if the id that the client had chosen
 * first is as short as that of browsers (8 bytes). conec's own Clients choose 16 and need no datagrams.
 */
export const maxOriginalIdBytesWithDatagrams = 8;

/** Builds the engine's configuration. @throws as {@link createTlsConfig} */
export function createEngineConfig(binding: Binding, tls: TlsOptions, options: ProtocolOptions): EngineConfig {
  const config = createTlsConfig(binding, tls);
  config.setApplicationProtos([...(options.applicationProtocols ?? [conecProtocol])]);
  config.setMaxIdleTimeout(assertRange("idleTimeoutMs", options.idleTimeoutMs, 1, 2 ** 31 - 1));
  config.setMaxRecvUdpPayloadSize(engineMaxDatagramBytes);
  config.setMaxSendUdpPayloadSize(
    assertRange("maxDatagramBytes", options.maxDatagramBytes, minDatagramBytes, engineMaxDatagramBytes),
  );
  config.setInitialMaxData(connectionWindowBytes);
  config.setInitialMaxStreamDataBidiLocal(initialStreamWindowBytes);
  config.setInitialMaxStreamDataBidiRemote(initialStreamWindowBytes);
  config.setInitialMaxStreamDataUni(initialStreamWindowBytes);
  config.setInitialMaxStreamsBidi(maxStreams);
  config.setInitialMaxStreamsUni(maxStreams);
  config.setMaxConnectionWindow(connectionWindowBytes);
  config.setMaxStreamWindow(
    assertRange("stream window", options.maxStreamWindowBytes, initialStreamWindowBytes, 2 ** 32),
  );
  config.setActiveConnectionIdLimit(2);
  config.setDisableActiveMigration(true);
  if (options.datagrams === true) config.enableDgram(true, datagramQueue, datagramQueue);
  // When a packet is due cannot be read from the engine, and nothing waits for it. But without pacing the engine (0.18) takes an
  // old time for that of sending while the congestion window is small: after losses its round-trip time grows without end, and
  // with it the time until it sends again what was lost.
  config.enablePacing(true);
  return config;
}

/** @throws ConecError `invalid-argument` when the engine does not take the certificate */
export function createTlsConfig(binding: Binding, tls: TlsOptions): EngineConfig {
  try {
    return binding.createConfig(tls);
  } catch (cause) {
    // What was looked at before has passed: it is, for example, a certificate that is for other uses (key usage).
    const said = (cause as Error).message;
    throw new ConecError("invalid-argument", `Cannot use the certificate: the QUIC engine says ${said}`, { cause });
  }
}
