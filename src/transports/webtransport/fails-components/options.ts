// SPDX-License-Identifier: Apache-2.0
/**
 * Windows and numbers of streams, as a `WebTransport` of `@fails-components/webtransport` takes them beside the options
 * of the W3C; other classes ignore them. By its own defaults a single stream that nobody reads fills the window of the
 * whole session (16 KiB), and 100 streams are all that may be open.
 *
 * The window of a session is what quiche, which is behind its HTTP/3, raises it to at most (24 MiB).
 */
export const failsComponentsOptions = {
  initialStreamFlowControlWindow: 256 * 1024,
  streamFlowControlWindowSizeLimit: 1024 * 1024,
  initialSessionFlowControlWindow: 24 * 1024 * 1024,
  sessionFlowControlWindowSizeLimit: 24 * 1024 * 1024,
  initialBidirectionalSendStreams: 10_000,
  initialBidirectionalReceiveStreams: 10_000,
  initialUnidirectionalSendStreams: 10_000,
  initialUnidirectionalReceiveStreams: 10_000,
  // And the server's names for what it lets Clients open.
  initialBidirectionalStreams: 10_000,
  initialUnidirectionalStreams: 10_000,
};
