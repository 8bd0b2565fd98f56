// SPDX-License-Identifier: Apache-2.0
/** Longer than most: every call of the engine, checked, in one place. */
import { randomBytes } from "node:crypto";
import type * as native from "@matrixai/quic/native/types.js";
import type { Quiche } from "@matrixai/quic/native/quiche.js";

import { ConecError } from "../../core/errors.ts";

/** What conec uses of the native QUIC engine, checked so that no argument can bring the process down. */
export interface Binding {
  createConfig(options: TlsOptions): native.Config;
  /** `serverName` is what BoringSSL puts into the TLS handshake and checks the certificate against; null for neither. */
  connect(serverName: string | null, config: native.Config): Engine;
  /** `originalId` is the client's first destination id when this connection comes out of a Retry, else null. */
  accept(sourceId: Uint8Array, originalId: Uint8Array | null, config: native.Config): Engine;
  /** The token of an Initial packet; empty if it has none. Throws when the header does not parse. */
  tokenOf(datagram: Uint8Array): Uint8Array;
  isSupportedVersion(version: number): boolean;
  /** Writes a Version Negotiation packet to `out` and returns its length. */
  writeVersionNegotiation(sourceId: Uint8Array, destinationId: Uint8Array, out: Uint8Array): number;
  /** Writes a Retry packet to `out` and returns its length. */
  writeRetry(packet: RetryPacket, out: Uint8Array): number;
}

export interface TlsOptions {
  /** Whether the other end's certificate is asked for and checked. */
  verifyPeer: boolean;
  /** Whether the handshake goes on when that check fails, so that it can be made in JS. */
  allowFailure: boolean;
  /** Of a server: whether the handshake goes on when a client shows none. Cannot be had with `allowFailure`. */
  mayBeAbsent?: boolean;
  /** Trusted roots, PEM. */
  ca: string | null;
  key: string | null;
  /** Certificate chain, PEM, leaf first. */
  cert: string | null;
}

interface RetryPacket {
  clientSourceId: Uint8Array;
  clientDestinationId: Uint8Array;
  newSourceId: Uint8Array;
  token: Uint8Array;
  version: number;
}

export type EngineConfig = native.Config;

/** Bytes of every connection id that a conec server gives itself. A client's has none. */
export const serverIdBytes = 16;

/** Largest code that a connection is closed with, and that a stream is given up with (RFC 9000, section 16: below 2^62). */
const maxCloseCode = 0xffff_ffff;
const maxStreamErrorCode = Number.MAX_SAFE_INTEGER;
const maxReasonBytes = 1024;

/**
 * The addresses that the engine is told, always the same two, whatever the real ones are: address changes are conec's
 * business, and an engine that sees only one path cannot be led into its path-migration bugs (CVE-2025-7054).
 */
const pinnedLocal = { host: "127.0.0.1", port: 1 };
const pinnedRemote = { host: "127.0.0.1", port: 2 };
const pinnedPath = { from: pinnedRemote, to: pinnedLocal };

/** See {@link Engine.streamSend}. */
const maxUnsentBytes = 1024 * 1024;

/** Of BoringSSL: a name, a key to encrypt tickets, and one to authenticate them. */
const ticketKeyBytes = 48;

const noBytes = new Uint8Array(0);

const signatureAlgorithms = [
  "ed25519",
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
].join(":");

let loading: Promise<Binding> | undefined;

/** Loads the native addon, once. @throws ConecError `unsupported` where there is none for this machine, and on Deno. */
export function loadBinding(): Promise<Binding> {
  if (process.versions["deno"] !== undefined) {
    // It loads there (2.9), and Clients join, but then a transfer stands still.
    return Promise.reject(
      new ConecError("unsupported", "The QUIC engine does not run on Deno: use conec/websocket there"),
    );
  }
  loading ??= import("@matrixai/quic/native/quiche.js").then(
    (module) => checkedBinding(module.default),
    (cause: unknown) => {
      loading = undefined;
      const machine = `${process.platform}-${process.arch}`;
      throw new ConecError("unsupported", `Cannot load the QUIC engine (@matrixai/quic) on ${machine}`, { cause });
    },
  );
  return loading;
}

function checkedBinding(quiche: Quiche): Binding {
  return {
    createConfig({ verifyPeer, allowFailure, mayBeAbsent = false, ca, key, cert }) {
      const config = quiche.Config.withBoringSslCtx(
        verifyPeer,
        allowFailure,
        ca === null ? null : Buffer.from(ca),
        key === null ? null : [Buffer.from(key)],
        cert === null ? null : [Buffer.from(cert)],
        signatureAlgorithms,
      );
      // Asks and checks as before, but insists on nothing, and takes no more notice of `allowFailure`.
      if (mayBeAbsent) config.verifyPeer(true);
      return config;
    },
    connect(serverName, config) {
      if (serverName !== null && (serverName.length === 0 || serverName.length > 255 || serverName.includes("\0"))) {
        throw new ConecError("invalid-argument", "Cannot connect: the server name is not a host name");
      }
      const id = new Uint8Array(0);
      return new Engine(quiche.Connection.connect(serverName, id, pinnedLocal, pinnedRemote, config));
    },
    accept(sourceId, originalId, config) {
      assertRange("connection id", sourceId.length, serverIdBytes, serverIdBytes);
      if (originalId !== null) assertRange("connection id", originalId.length, 1, quiche.MAX_CONN_ID_LEN);
      // So that no ticket of an earlier connection is good for anything: who resumes shows no certificate.
      config.setTicketKey(randomBytes(ticketKeyBytes));
      return new Engine(quiche.Connection.accept(sourceId, originalId, pinnedLocal, pinnedRemote, config));
    },
    tokenOf: (datagram) => quiche.Header.fromSlice(datagram, serverIdBytes).token ?? new Uint8Array(0),
    isSupportedVersion: (version) => quiche.versionIsSupported(version),
    writeVersionNegotiation(sourceId, destinationId, out) {
      assertRange("connection id", Math.max(sourceId.length, destinationId.length), 0, quiche.MAX_CONN_ID_LEN);
      assertRange("buffer", out.length, 1200, 65_535);
      return quiche.negotiateVersion(sourceId, destinationId, out);
    },
    writeRetry({ clientSourceId, clientDestinationId, newSourceId, token, version }, out) {
      for (const id of [clientSourceId, clientDestinationId, newSourceId]) {
        assertRange("connection id", id.length, 0, quiche.MAX_CONN_ID_LEN);
      }
      assertRange("token", token.length, 1, 512);
      assertRange("buffer", out.length, 1200, 65_535);
      return quiche.retry(clientSourceId, clientDestinationId, newSourceId, token, version, out);
    },
  };
}

/**
 * One QUIC connection of the engine. Methods throw `Error`s whose message is quiche's own name of the fault:
 * `StreamStopped(7)`, `StreamReset(7)`, `InvalidStreamState(4)`, …
 */
export class Engine {
  readonly #native: native.Connection;
  /** What streams have handed over since the engine last had nothing to send, less what has left. */
  #unsentBytes = 0;

  constructor(connection: native.Connection) {
    this.#native = connection;
  }

  /** Takes a datagram; its bytes are decrypted in place. Throws when it ends the connection. */
  receive(datagram: Uint8Array): void {
    if (datagram.length === 0) return;
    try {
      this.#native.recv(datagram, pinnedPath);
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "Done") throw error;
    }
  }

  /** Writes the next packet, no longer than `out`, and returns its length; 0 when there is none. */
  send(out: Uint8Array): number {
    const sent = this.#native.send(out);
    if (sent === null) {
      this.#unsentBytes = 0;
      return 0;
    }
    this.#unsentBytes -= sent[0];
    return sent[0];
  }

  /** `[length, fin]`, or null when there is nothing to read. */
  streamReceive(id: number, into: Uint8Array): [number, boolean] | null {
    return this.#native.streamRecv(id, into);
  }

  /**
   * How many bytes were taken. A FIN is only taken with the last of the bytes. By itself the engine takes as much as its
   * congestion window allows, however large; here it is not much more than can leave in one turn of the event loop.
   */
  streamSend(id: number, bytes: Uint8Array, fin: boolean): number {
    const room = maxUnsentBytes - this.#unsentBytes;
    if (room <= 0 && bytes.length > 0) return 0;
    const isPart = bytes.length > room;
    const taken = this.#native.streamSend(id, isPart ? bytes.subarray(0, room) : bytes, fin && !isPart) ?? 0;
    this.#unsentBytes += taken;
    return taken;
  }

  /** Sends a FIN alone. False when it was not taken. */
  streamFinish(id: number): boolean {
    return this.#native.streamSend(id, noBytes, true) !== null;
  }

  /** Sends RESET_STREAM. */
  streamReset(id: number, code: number): void {
    this.#native.streamShutdown(id, 1, assertRange("stream error code", code, 0, maxStreamErrorCode));
  }

  /** Sends STOP_SENDING. */
  streamStop(id: number, code: number): void {
    this.#native.streamShutdown(id, 0, assertRange("stream error code", code, 0, maxStreamErrorCode));
  }

  /** The next DATAGRAM frame (RFC 9221) that came in, or null. */
  receiveDatagram(): Uint8Array | null {
    return this.#native.dgramRecvVec();
  }

  streamCapacity(id: number): number {
    return this.#native.streamCapacity(id);
  }

  isReadable(): boolean {
    return this.#native.isReadable();
  }

  /** Ids of the streams that have something to read. Costs some ten microseconds. */
  readable(): Iterable<number> {
    return this.#native.readable();
  }

  /** Milliseconds until {@link onTimeout} is due; null when nothing is timed. */
  timeout(): number | null {
    return this.#native.timeout();
  }

  onTimeout(): void {
    this.#native.onTimeout();
  }

  /** Makes the next packet one that the other end must acknowledge. */
  ping(): void {
    this.#native.sendAckEliciting();
  }

  close(isApplication: boolean, code: number, reason: Uint8Array): void {
    assertRange("close code", code, 0, maxCloseCode);
    this.#native.close(isApplication, code, reason.subarray(0, maxReasonBytes));
  }

  isEstablished(): boolean {
    return this.#native.isEstablished();
  }

  /** True once either end has closed; nothing but repeated close packets is sent from then on. */
  isDraining(): boolean {
    return this.#native.isDraining();
  }

  isClosed(): boolean {
    return this.#native.isClosed();
  }

  isTimedOut(): boolean {
    return this.#native.isTimedOut();
  }

  peerError(): native.ConnectionError | null {
    return this.#native.peerError();
  }

  localError(): native.ConnectionError | null {
    return this.#native.localError();
  }

  applicationProtocol(): string {
    return Buffer.from(this.#native.applicationProto()).toString("latin1");
  }

  /** DER, leaf first; also when the check of the chain failed. */
  peerCertificates(): Uint8Array[] {
    return this.#native.peerCertChain() ?? [];
  }

  /** The id that the other end gave itself: on a client, what the server's connection table is keyed by. */
  destinationId(): Uint8Array {
    return this.#native.destinationId();
  }

  /**
   * Gives the other end one more id to use for this end, and asks it to stop using the oldest one where it holds as many
   * as it wants. Throws when it has been asked for more than it has confirmed; see {@link sourceIds}.
   */
  issueSourceId(id: Uint8Array, resetToken: bigint): void {
    assertRange("connection id", id.length, serverIdBytes, serverIdBytes);
    this.#native.newSourceCid(id, resetToken, true);
  }

  /** How many ids the other end may still use for this end, those among them that it was asked not to use any more. */
  sourceIds(): number {
    return this.#native.activeSourceCids();
  }

  /** The next id that the other end has confirmed not to use any more, or null. */
  nextRetiredSourceId(): Uint8Array | null {
    return this.#native.retiredScidNext();
  }

  stats(): native.Stats {
    return this.#native.stats();
  }

  /** Of the one pinned path. */
  pathStats(): native.PathStats | undefined {
    return this.#native.pathStats()[0];
  }
}

/** Any number outside what the engine takes would end the process, so it ends the call instead. */
export function assertRange(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ConecError("invalid-argument", `Cannot use ${value} as ${name}: not an integer from ${least} to ${most}`);
  }
  return value;
}
