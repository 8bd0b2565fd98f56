// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../../core/errors.ts";
import type { Connection } from "../../../core/transport.ts";
import { ignore } from "../../../streams/ignore.ts";
import { encodeVarints } from "../../../streams/varint.ts";
import { http3Protocol } from "../config.ts";
import { dialler } from "../connect.ts";
import type { QuicOptions } from "../connect.ts";
import { concatBytes } from "../http3/concat-bytes.ts";
import { http3ErrorCodes } from "../http3/error-codes.ts";
import { encodeFrame, frameTypes, maxFieldSectionBytes } from "../http3/frames.ts";
import { decodeFieldSection, encodeFieldSection } from "../http3/qpack.ts";
import { decodeSettings, encodeSettings, maxSettingsBytes } from "../http3/settings.ts";
import { TlvParser } from "../http3/tlv-parser.ts";

/** What {@link checkWebTransport} takes. */
export interface CheckWebTransportOptions extends QuicOptions {
  /** The origin to ask as, as a browser would: `https://app.example`. Default: none, as from a program. */
  origin?: string | undefined;
  /** Ends the check. */
  signal?: AbortSignal | undefined;
}

/** What a server has answered. */
export interface WebTransportCheck {
  /** SHA-256 of the certificate that was met. */
  certificateHash: Uint8Array;
  /** Smoothed round-trip time in milliseconds. */
  rttMs: number | undefined;
}

/**
 * Whether a page could join: asks a server for a session of WebTransport over HTTP/3, as a browser does, and hangs up.
 * There is no client of WebTransport behind it; use it to watch a Coordinator.
 *
 * @throws ConecError as `quic().connect`: `unreachable`, `timeout`, `certificate-…`; `alpn-mismatch` when the server has no
 * HTTP/3; `unsupported` when it has that but no WebTransport; `refused` when it answers with another status than 200, such
 * as 403 for an origin that it does not allow; the signal's reason
 * @example
 * ```ts
 * await checkWebTransport("https://coordinator.example:4433", { origin: "https://app.example" });
 * ```
 */
export async function checkWebTransport(
  url: string | URL,
  { origin, signal, ...options }: CheckWebTransportOptions = {},
): Promise<WebTransportCheck> {
  const { connectTimeoutMs = 10_000 } = options;
  const connection = await dialler(http3Protocol, options).connect(url, { signal });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let giveUp!: (reason: unknown) => void;
  const given = new Promise<never>((_resolve, reject) => (giveUp = reject));
  const onAbort = (): void => giveUp(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    timer = setTimeout(() => giveUp(failure("timeout", "The server does not answer over HTTP/3")), connectTimeoutMs);
    const ended = connection.closed.then(({ reason }) => {
      throw failure("refused", `The server closed the connection: ${reason}`);
    });
    await Promise.race([openSession(connection, new URL(url), origin), ended, given]);
    const { rttMs } = await connection.getStats();
    return { certificateHash: connection.server!.certificateHashes[0]!, rttMs };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    connection.close({ closeCode: http3ErrorCodes.H3_NO_ERROR });
  }
}

async function openSession(connection: Connection, { host, pathname, search }: URL, origin?: string): Promise<void> {
  const control = (await connection.createUnidirectionalStream()).getWriter();
  control.closed.catch(ignore);
  // H3_DATAGRAM (RFC 9297) and ENABLE_WEBTRANSPORT (draft-02), as Chromium says. The stream stays open (RFC 9114, 6.2.1).
  const settings = encodeSettings(
    new Map([
      [0x33, 1],
      [webTransportSettings[0], 1],
    ]),
  );
  await control.write(concatBytes([encodeVarints(controlStream), settings]));
  await serverSettings(connection);
  const { readable, writable } = await connection.createBidirectionalStream();
  const writer = writable.getWriter();
  writer.closed.catch(ignore);
  const fields = encodeFieldSection([
    [":method", "CONNECT"],
    [":protocol", "webtransport"],
    [":scheme", "https"],
    [":authority", host],
    [":path", pathname + search],
    ["sec-webtransport-http3-draft02", "1"],
    ...(origin === undefined ? [] : ([["origin", origin]] as const)),
  ]);
  await writer.write(encodeFrame(frameTypes.headers, fields));
  const answer = await firstRecord(readable, frameTypes.headers, maxFieldSectionBytes);
  const status = new Map(decodeFieldSection(answer)).get(":status");
  if (status !== "200") throw failure("refused", `The server answers with the status ${status}`);
}

/** Waits for the server's settings. @throws ConecError `unsupported` when they do not speak of WebTransport */
async function serverSettings(connection: Connection): Promise<void> {
  const streams = connection.incomingUnidirectionalStreams.getReader();
  for (;;) {
    const { value, done } = await streams.read();
    if (done) throw failure("refused", "The server closed the connection");
    const payload = await settingsOf(value);
    if (payload === undefined) continue; // QPACK's streams
    streams.releaseLock();
    const settings = decodeSettings(payload);
    if (webTransportSettings.some((id) => (settings.get(id) ?? 0) > 0)) return;
    throw failure("unsupported", "The server speaks HTTP/3, but not WebTransport");
  }
}

/** The payload of SETTINGS, if this is the control stream. */
async function settingsOf(readable: ReadableStream<Uint8Array>): Promise<Uint8Array | undefined> {
  const reader = readable.getReader();
  const { value } = await reader.read();
  if (value === undefined || value[0] !== controlStream) return undefined;
  return await recordOf(reader, value.subarray(1), frameTypes.settings, maxSettingsBytes);
}

async function firstRecord(readable: ReadableStream<Uint8Array>, type: number, maxBytes: number): Promise<Uint8Array> {
  return await recordOf(readable.getReader(), new Uint8Array(0), type, maxBytes);
}

/** The payload of the first frame of a type. */
async function recordOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  begin: Uint8Array,
  type: number,
  maxBytes: number,
): Promise<Uint8Array> {
  const parser = new TlvParser((found, length) => {
    if (found !== type) return "skip";
    if (length > maxBytes) throw failure("protocol-error", "The server sent a frame that is too long");
    return "whole";
  });
  for (let bytes = begin; ;) {
    for (const event of parser.push(bytes)) if (event.kind === "whole") return event.payload.slice();
    const { value, done } = await reader.read();
    if (done) throw failure("protocol-error", "The server ended a stream of HTTP/3 too early");
    bytes = value;
  }
}

function failure(code: "timeout" | "refused" | "unsupported" | "protocol-error", message: string): ConecError {
  return new ConecError(code, message, { remote: true });
}

/** The type of the control stream (RFC 9114, section 6.2.1). */
const controlStream = 0x00;
/** ENABLE_WEBTRANSPORT of draft-02, WEBTRANSPORT_MAX_SESSIONS of draft-07, WT_MAX_SESSIONS of later ones. */
const webTransportSettings = [0x2b603742, 0xc671706a, 0x14e9cd29] as const;
