// SPDX-License-Identifier: Apache-2.0
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";
import type { Field } from "./qpack.ts";

/** What a request says of itself (RFC 9114, section 4.3.1; RFC 9220). */
export interface RequestHead {
  readonly method: string;
  readonly authority: string | undefined;
  readonly path: string | undefined;
  /** Of an extended CONNECT. */
  readonly protocol: string | undefined;
  /** The other fields; of those that come several times, the last. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Checks the fields of a request. @throws Http3Error `H3_MESSAGE_ERROR`, for the stream */
export function parseRequest(fields: readonly Field[]): RequestHead {
  const pseudo = new Map<string, string>();
  const others = new Map<string, string>();
  for (const [name, value] of fields) {
    if (invalidInValue.test(value)) throw malformed("a value with control characters");
    if (!name.startsWith(":")) {
      if (!validName.test(name) || connectionFields.has(name)) throw malformed("a field that is not valid");
      others.set(name, value);
    } else if (others.size > 0 || pseudo.has(name) || !pseudoFields.has(name)) {
      throw malformed("a pseudo-header field that is not valid");
    } else {
      pseudo.set(name, value);
    }
  }
  const [method, scheme, path] = [":method", ":scheme", ":path"].map((name) => pseudo.get(name));
  const authority = pseudo.get(":authority") ?? others.get("host");
  const protocol = pseudo.get(":protocol");
  if (method === undefined || method === "") throw malformed("no method");
  if (protocol !== undefined && method !== "CONNECT") throw malformed(":protocol without CONNECT");
  // A CONNECT without :protocol has neither of the two (RFC 9114, section 4.4).
  const isPlainConnect = method === "CONNECT" && protocol === undefined;
  if (isPlainConnect ? scheme !== undefined || path !== undefined : scheme === undefined || !path) {
    throw malformed("no scheme or path, or one too many");
  }
  if (protocol !== undefined && !authority) throw malformed("no authority");
  return { method, authority, path, protocol, fields: others };
}

function malformed(what: string): Http3Error {
  return new Http3Error(http3ErrorCodes.H3_MESSAGE_ERROR, what, "stream");
}

const pseudoFields: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path", ":protocol"]);

/** They speak of a connection of HTTP/1.1 (RFC 9114, section 4.2). */
const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Tokens in lower case (RFC 9110, section 5.1; RFC 9114, section 4.2). */
const validName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// oxlint-disable-next-line no-control-regex
const invalidInValue = /[\0-\x08\x0a-\x1f\x7f]/;
