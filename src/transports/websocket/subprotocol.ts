// SPDX-License-Identifier: Apache-2.0
/**
 * What both ends agree on in the WebSocket handshake (RFC 6455, section 1.9): the draft of QMux, and in it version 1 of
 * conec. A `/` as in QUIC's `conec/1` is not allowed there.
 */
export const subprotocol = "qmux-02.conec-1";
