/** `@fails-components/webtransport`, without what it prints where it has no HTTP/3 addon. */
import { setImmediate } from "node:timers/promises";

const { error, log } = console;
console.error = console.log = () => {};
const loaded = await import("@fails-components/webtransport");
await loaded.quicheLoaded;
await setImmediate();
Object.assign(console, { error, log });

export const { Http2Server, Http3Server, WebTransport } = loaded;

const addon = "@fails-components/webtransport-transport-http3-quiche";

/** Why HTTP/3 cannot be tested here; undefined if it can. */
export const http3Missing = await import(addon).then(
  () => undefined,
  () => `no HTTP/3: ${addon} is not installed`,
);
