// SPDX-License-Identifier: Apache-2.0
import { maxFieldSectionBytes } from "../http3/frames.ts";
import type { Settings } from "../http3/settings.ts";

/**
 * What a server announces so that clients of every draft in use open a session: those of draft-02 (Chromium 156) look
 * for ENABLE_WEBTRANSPORT, those of draft-07 for WEBTRANSPORT_MAX_SESSIONS. Newer drafts get a row of their own.
 */
export const serverSettings: Settings = new Map([
  [0x01, 0], // QPACK_MAX_TABLE_CAPACITY: no dynamic table (RFC 9204, section 5)
  [0x07, 0], // QPACK_BLOCKED_STREAMS
  [0x06, maxFieldSectionBytes], // MAX_FIELD_SECTION_SIZE (RFC 9114, section 7.2.4.1)
  [0x08, 1], // ENABLE_CONNECT_PROTOCOL (RFC 9220, section 3)
  [0x33, 1], // H3_DATAGRAM (RFC 9297, section 2.1.1)
  [0x2b603742, 1], // ENABLE_WEBTRANSPORT, draft-02
  [0x2b603743, 1], // WEBTRANSPORT_MAX_SESSIONS, draft-02 to -06
  [0xc671706a, 1], // WEBTRANSPORT_MAX_SESSIONS, draft-07
]);

/** What streams of a session begin with, before the session's id (draft-ietf-webtrans-http3, section 4). */
export const sessionStreamTypes = { unidirectional: 0x54, bidirectional: 0x41 } as const;

/** `:protocol` of the request for a session, up to draft-13 and after. */
export const sessionProtocols: ReadonlySet<string | undefined> = new Set(["webtransport", "webtransport-h3"]);
