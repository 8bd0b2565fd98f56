/** Whether a page could join, asked without a browser. */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";

import { checkWebTransport, createSelfSignedCertificate, listen } from "../../src/transports/quic/index.ts";
import type { QuicListener, QuicListenOptions } from "../../src/transports/quic/index.ts";
import { rejection } from "../support/hub.ts";

const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
const serverCertificateHashes = [{ algorithm: "sha-256", value: hash }];

let listener: QuicListener | undefined;
afterEach(() => listener?.close());

async function open(options: Partial<QuicListenOptions> = {}): Promise<string> {
  listener = await listen({ host: "127.0.0.1", cert, key, ...options });
  return `https://127.0.0.1:${listener.address.port}/rooms/7?x=1`;
}

test("a listener that takes pages", async () => {
  const url = await open();
  const { certificateHash, rttMs } = await checkWebTransport(url, { serverCertificateHashes });
  expect(certificateHash).toEqual(hash);
  expect(rttMs).toBeGreaterThan(0);
  expect(await listener!.getStats()).toMatchObject({ accepted: 1, violations: { protocol: 0 } });
});

test("an origin that is allowed, one that is not, and none", async () => {
  const url = await open({ allowedOrigins: ["https://app.example"] });
  await checkWebTransport(url, { serverCertificateHashes, origin: "https://app.example" });
  await checkWebTransport(url, { serverCertificateHashes });
  const refused = checkWebTransport(url, { serverCertificateHashes, origin: "https://evil.example" });
  expect(await rejection(refused)).toMatchObject({ code: "refused", message: expect.stringMatching("403") });
});

test("a certificate that is not trusted", async () => {
  const url = await open();
  expect(await rejection(checkWebTransport(url))).toMatchObject({ code: "certificate-untrusted" });
});

test("nobody there; the signal", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`; // TCP only
  expect(await rejection(checkWebTransport(url))).toMatchObject({ code: "unreachable" });
  const signal = AbortSignal.abort(new Error("enough"));
  expect(await rejection(checkWebTransport(url, { signal }))).toMatchObject({ message: "enough" });
  await new Promise((resolve) => server.close(resolve));
});
