// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText } from "../../core/errors.ts";
import type { CloseInfo } from "../../core/transport.ts";
import type { Engine } from "./binding.ts";
import { certificateRefusal } from "./certificate-refusal.ts";

/** How a connection ended: by a close, or by an error. */
export type ConnectionEnd = { readonly info: CloseInfo } | { readonly error: ConecError };

/** What the streams of a connection fail with when it ends. */
export function streamErrorOf(end: ConnectionEnd): ConecError {
  if ("error" in end) return end.error;
  const { closeCode, reason } = end.info;
  const said = reason === "" ? ` (${closeCode})` : `: ${reason}`;
  return new ConecError("closed", `The connection was closed${said}`);
}

/** TLS alert `no_application_protocol` as a QUIC error code (RFC 9001, section 4.8; RFC 7301). */
const noApplicationProtocol = 0x178;
const connectionRefused = 0x02;
const cryptoBufferExceeded = 0x0d;

/**
 * FRAME_ENCODING_ERROR. A client finds it in what a server sends when packets are lost while the server gives it new ids, and
 * then newer ones: the engine repeats the old ones together with the newest Retire Prior To (source-ids.ts makes
 * that rare). Nobody has done anything wrong: to both ends it is a lost connection, which may be resumed.
 */
const frameEncodingError = 0x07;

/** Why the engine has ended the connection by itself or on the other end's word. */
export function endOf(
  engine: Pick<Engine, "peerError" | "localError" | "isTimedOut">,
  isServer: boolean,
): ConnectionEnd {
  const peer = engine.peerError();
  const local = engine.localError();
  const clientsError = isServer ? peer : local;
  if (clientsError !== null && !clientsError.isApp && clientsError.errorCode === frameEncodingError) {
    return {
      error: new ConecError("connection-lost", "Connection ids were confused (QUIC error 0x7)", { remote: true }),
    };
  }
  if (peer !== null) {
    const reason = reasonText(Buffer.from(peer.reason).toString("utf8"));
    if (peer.isApp) return { info: { closeCode: closeCodeOf(peer.errorCode), reason } };
    return { error: transportError(peer.errorCode, reason) };
  }
  if (local !== null) {
    const message = `The other end broke the QUIC protocol (error ${hex(local.errorCode)})`;
    return { error: new ConecError("protocol-error", message, { remote: true }) };
  }
  const message = engine.isTimedOut()
    ? "Nothing was heard from the other end for too long"
    : "The other end does not know the connection any more: it was restarted";
  return { error: new ConecError("connection-lost", message, { remote: true }) };
}

function transportError(code: number, reason: string): ConecError {
  const said = reason === "" ? "" : `: ${reason}`;
  if (code === noApplicationProtocol) {
    return new ConecError("alpn-mismatch", "The other end does not speak conec", { remote: true });
  }
  if (code === connectionRefused) {
    return new ConecError("refused", `The other end refused the connection${said}`, { remote: true });
  }
  if (code === cryptoBufferExceeded) {
    return new ConecError("limit-exceeded", "The other end takes no handshake of this length", { remote: true });
  }
  if (code === 0) return new ConecError("connection-lost", `The other end went away${said}`, { remote: true });
  const refusal = certificateRefusal(code);
  if (refusal !== undefined) return refusal;
  return new ConecError("protocol-error", `The other end closed with error ${hex(code)}${said}`, { remote: true });
}

function closeCodeOf(code: number): number {
  return code <= 0xffff_ffff ? code : 0xffff_ffff;
}

function hex(code: number): string {
  return `0x${code.toString(16)}`;
}
