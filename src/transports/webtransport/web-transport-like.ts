// SPDX-License-Identifier: Apache-2.0
/**
 * The part of the W3C interface `WebTransport` that conec uses, as a shape: the class of a browser has it, and so have
 * implementations for other places.
 */
export interface WebTransportLike {
  readonly ready: Promise<unknown>;
  readonly closed: Promise<WebTransportCloseInfoLike | undefined>;
  readonly incomingBidirectionalStreams: ReadableStream<WebTransportStreamLike>;
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
  createBidirectionalStream(options?: { waitUntilAvailable?: boolean }): Promise<WebTransportStreamLike>;
  createUnidirectionalStream(options?: { waitUntilAvailable?: boolean }): Promise<WritableStream<Uint8Array>>;
  close(info?: { closeCode: number; reason: string }): void;
  /** Newer than the rest, so not everywhere. */
  getStats?(): Promise<object>;
}

/** A bidirectional stream of a session. */
export interface WebTransportStreamLike {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** How a session ended, or is to end. */
export interface WebTransportCloseInfoLike {
  closeCode?: number;
  reason?: string;
}

/** Opens a session, as `new WebTransport(url, options)` does. */
export type WebTransportConstructor = new (
  url: string,
  options?: { serverCertificateHashes?: { algorithm: string; value: BufferSource }[]; [option: string]: unknown },
) => WebTransportLike;

/** As in the W3C `WebTransportHash`. */
export interface CertificateHash {
  /** `"sha-256"`. */
  algorithm: string;
  value: BufferSource;
}
