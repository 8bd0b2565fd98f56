// SPDX-License-Identifier: Apache-2.0
/**
 * The contract between conec's core and what carries its bytes. It is the part of the W3C `WebTransport`
 * interface that conec needs, so a browser's own session is nearly a {@link Connection} already.
 *
 * Every implementation passes `test/transports/contract.ts`.
 */

/** How a connection or channel ended. */
export interface CloseInfo {
  /** Application code, an integer from 0 to 2^32 − 1. 0 when none was given. */
  closeCode: number;
  /** Text for people, at most 1024 bytes of UTF-8. Empty when none was given. */
  reason: string;
}

/** Two independent halves: each is closed, aborted or cancelled on its own. */
export interface BidirectionalStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /**
   * The reader and the writer of the two halves, for a transport that can give them at less cost than two streams: called
   * before either stream was looked at, and at most once.
   */
  lock?(): { reader: ByteReader; writer: ByteWriter };
}

/** What conec uses of a ReadableStreamDefaultReader. */
export interface ByteReader extends Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel" | "closed"> {
  /** Gives back the memory of a chunk that was read here and that nobody will look at any more. Never required. */
  recycle?(chunk: Uint8Array): void;
}

/** What conec uses of a WritableStreamDefaultWriter. */
export type ByteWriter = Pick<
  WritableStreamDefaultWriter<Uint8Array>,
  "write" | "close" | "abort" | "ready" | "closed" | "desiredSize"
>;

/** Who is at the other end of a connection, as far as the transport can tell. */
export interface Remote {
  readonly host: string;
  readonly port: number;
  /**
   * The TLS certificate chain of the other end, leaf first, DER; absent where there is none or it cannot be seen. Of a Client:
   * only if the listener asks for one, and checked only if it says by what.
   */
  readonly certificates?: readonly Uint8Array[];
  /** Path and query of the URL that was dialled, where the transport carries them (WebTransport). Unverified. */
  readonly path?: string;
  /** The origin of the page that dialled, as the browser says. A program that is no browser can claim any, or none. */
  readonly origin?: string;
}

/** The server's certificate, as one end of a connection knows it: what a Client's proof of its key is bound to. */
export interface ServerCertificate {
  /**
   * SHA-256 of the certificate (DER): at the server, of the one that it showed; at a client, of the one it met or, where it
   * cannot see that, of those that it would have taken. Empty where nothing is known.
   */
  readonly certificateHashes: readonly Uint8Array[];
  /** At the server: whether the certificate is for this host name or address. */
  hasName?(host: string): boolean;
}

/** Figures of one connection; what a transport cannot tell is absent. */
export interface ConnectionStats {
  /** Smoothed round-trip time in milliseconds (RFC 9002, section 5.3). */
  rttMs?: number;
  /** Bytes on the wire, headers of the transport included. */
  bytesSent?: number;
  bytesReceived?: number;
  packetsSent?: number;
  packetsReceived?: number;
  packetsLost?: number;
  /** Largest UDP payload sent, in bytes. */
  datagramBytes?: number;
}

/**
 * One connection between two parties.
 *
 * Streams carry bytes, not messages: chunk boundaries mean nothing. A chunk given to `write` may be used again
 * once its promise resolves. Writing waits (the promise of `write`, `ready`) while the other end does not read.
 * `writable.close()` ends a direction after all that was written. `writable.abort(reason)` and
 * `readable.cancel(reason)` reach the other end as an errored stream whose ConecError has `code` `"aborted"` or
 * `"cancelled"`, `source` `"stream"`, `remote` true, and the reason's `streamErrorCode` (0 if it has none); the
 * reason's text does not travel. When the connection ends, every stream errors, with the connection's error or,
 * after a close, with `closed`.
 */
export interface Connection {
  /** Which transport this is: `"quic"`, `"webtransport"`, `"memory"`, … */
  readonly transport: string;
  readonly remote: Remote;
  /** Absent where there is no TLS, or it ends elsewhere. */
  readonly server?: ServerCertificate | undefined;
  /**
   * Resolves with what was said when either end has called {@link Connection.close}; rejects with a ConecError
   * when the connection ended in any other way. Never an unhandled rejection.
   */
  readonly closed: Promise<CloseInfo>;
  /** Streams that the other end opened. They surface when their first byte arrives. */
  readonly incomingBidirectionalStreams: ReadableStream<BidirectionalStream>;
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
  /** Opens a stream; the other end learns of it with its first byte. Rejects with `closed` or the connection's error. */
  createBidirectionalStream(): Promise<BidirectionalStream>;
  createUnidirectionalStream(): Promise<WritableStream<Uint8Array>>;
  /**
   * As {@link incomingUnidirectionalStreams} and {@link createUnidirectionalStream}, but the streams are locked, for a
   * transport that can give that at less cost than web streams. If there, they are used in their place.
   */
  readonly incomingReaders?: ReadableStream<ByteReader>;
  createWriter?(): Promise<ByteWriter>;
  /** Ends the connection at once; data not yet acknowledged may be lost. The first call counts, later ones do nothing. */
  close(info?: Partial<CloseInfo>): void;
  getStats(): Promise<ConnectionStats>;
}

/** What every call that may wait takes. */
export interface ConnectOptions {
  /** Ends the attempt; the call then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Dials a Coordinator. Kept by the Client, so that it can dial again. */
export interface Transport {
  /** Which transport this is, as in {@link Connection.transport}. */
  readonly name: string;
  /**
   * Resolves when the connection is up and the server's identity was checked.
   *
   * @throws ConecError `unreachable`, `certificate-untrusted`, `certificate-expired`, `certificate-name-mismatch`,
   * `alpn-mismatch`, `timeout`, `invalid-argument`, each in bounded time.
   */
  connect(url: string | URL, options?: ConnectOptions): Promise<Connection>;
}

/** Where a listener can be reached. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Figures of a listener. */
export interface ListenerStats {
  /** Connections that are open. */
  connections: number;
}

/** Takes connections for a Coordinator. */
export interface Listener extends AsyncDisposable {
  readonly transport: string;
  readonly address: Address;
  /** Connections whose handshake is complete. */
  readonly incomingConnections: ReadableStream<Connection>;
  /** Resolves when the listener has been closed; rejects with a ConecError when it broke. Never an unhandled rejection. */
  readonly closed: Promise<void>;
  getStats(): Promise<ListenerStats>;
  /** Stops listening and closes every connection that came in through it. Resolves when the port is free. */
  close(info?: Partial<CloseInfo>): Promise<void>;
}
