import { expect, test } from "vitest";

import { checkedOrigin, isFor, remoteOf, statusFor } from "../../src/transports/webtransport-server/request.ts";

const anything = { path: undefined, allowedOrigins: undefined };

test.each([
  ["/conec", true],
  ["/conec?token=1", true],
  ["/conec#part", true],
  ["/conec/", false],
  ["/CONEC", false],
  ["/", false],
  [undefined, false],
  [7, false],
])("a request for %s is one for /conec: %s", (path, expected) => {
  expect(isFor({ ":path": path }, { ...anything, path: "/conec" })).toBe(expected);
  expect(isFor({ ":path": path }, anything)).toBe(true);
});

test.each([
  [{}, 200],
  [{ origin: "https://app.example" }, 200],
  [{ origin: "https://app.example:444" }, 403],
  [{ origin: "http://app.example" }, 403],
  [{ origin: "null" }, 403],
  [{ origin: "chrome-extension://abc" }, 403],
  [{ origin: "app.example" }, 200], // no browser
  [{ ":protocol": "webtransport" }, 200],
  [{ ":protocol": "webtransport-h3" }, 200],
  [{ ":protocol": "websocket" }, 404],
  [{ upgrade: "websocket" }, 404],
])("a request with %j is answered with %i", (header, status) => {
  expect(statusFor(header, { ...anything, allowedOrigins: new Set(["https://app.example"]) })).toBe(status);
  if (status !== 404) expect(statusFor(header, anything)).toBe(200);
});

test.each([
  ["192.0.2.1:7", { host: "192.0.2.1", port: 7 }],
  ["::1:7", { host: "::1", port: 7 }],
  ["[2001:db8::1]:7", { host: "2001:db8::1", port: 7 }],
  ["::ffff:192.0.2.1:7", { host: "192.0.2.1", port: 7 }],
  ["undefined:undefined", { host: "", port: 0 }],
  [undefined, { host: "", port: 0 }],
])("a peer at %s", (peerAddress, remote) => {
  expect(remoteOf({}, peerAddress)).toEqual(remote);
  const header = { ":path": "/a?b", origin: "https://app.example" };
  expect(remoteOf(header, peerAddress)).toEqual({ ...remote, path: "/a?b", origin: "https://app.example" });
});

test.each(["app.example", "https://app.example/", "https://app.example:443", "https://App.example", ""])(
  "%j is no origin",
  (origin) => {
    expect(() => checkedOrigin(origin)).toThrow(expect.objectContaining({ code: "invalid-argument" }) as Error);
  },
);
