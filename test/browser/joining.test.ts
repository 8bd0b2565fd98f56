/** How pages join a Coordinator, and what they learn when they cannot. */
import { networkInterfaces } from "node:os";
import type { Page } from "playwright-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Client, Coordinator } from "../../src/index.ts";
import type { AuthenticateRequest } from "../../src/index.ts";
import { listen } from "../../src/transports/quic/index.ts";
import type { QuicListenOptions } from "../../src/transports/quic/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { next } from "../support/hub.ts";
import { inChromium } from "./in-chromium.ts";
import { cert, hash, key, nodeTransport } from "./parties.ts";

/** As long as a program may wait before it hears that it cannot join. */
const refusedWithinMs = 5000;

const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

inChromium("pages that join", (pages) => {
  let page: Page;
  let coordinator: Coordinator;
  let asked: AuthenticateRequest[];

  beforeEach(async () => {
    asked = [];
    coordinator = new Coordinator({
      authenticate: (request) => {
        asked.push(request);
        if (request.remote.path === "/nowhere") throw new Error("There is nothing at /nowhere");
        return { id: request.requestedId };
      },
    });
    page = await pages().open();
  });

  afterEach(async () => {
    await page.close();
    await coordinator.close();
  });

  /** Where the Coordinator is then reached. */
  async function serve(options: Partial<QuicListenOptions> = {}): Promise<string> {
    const listener = await listen({ host: "127.0.0.1", cert, key, ...options });
    coordinator.serve(listener);
    const { host, port } = listener.address;
    return `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** What becomes of the page's attempt to join there: its id, or the error. */
  async function join(url: string, certificateHash: Uint8Array | null = hash, id = "page"): Promise<unknown> {
    return await page.evaluate(joinAs, { url, id, hash: certificateHash && [...certificateHash] });
  }

  test("tell the Coordinator path and origin", async () => {
    const url = await serve({ allowedOrigins: [pages().origin] });
    const node = await Client.connect(url, { transport: nodeTransport, id: "node" });
    expect(await join(`${url}/rooms/7?key=x`)).toBe("page");
    expect(asked).toMatchObject([
      { transport: "quic", requestedId: "node" },
      {
        transport: "webtransport",
        requestedId: "page",
        remote: { host: "127.0.0.1", path: "/rooms/7?key=x", origin: pages().origin },
      },
    ]);
    await node.close();
  });

  test("over IPv6", async (context) => {
    context.skip(!hasIPv6, "no IPv6 on this machine");
    expect(await join(await serve({ host: "::1" }))).toBe("page");
    expect(asked).toMatchObject([{ remote: { host: "::1" } }]);
  });

  test("after they have shown that their address is their own (Retry)", async () => {
    const listener = await listen({ host: "127.0.0.1", cert, key, limits: { retryAboveHalfOpen: 0 } });
    coordinator.serve(listener);
    expect(await join(`https://127.0.0.1:${listener.address.port}`)).toBe("page");
    const { retried, accepted } = await listener.getStats();
    expect(retried).toBeGreaterThan(0);
    expect(accepted).toBe(1);
  });

  test("stay connected when idle, longer than a connection may be silent", async () => {
    const url = await serve({ idleTimeoutMs: 6000 });
    expect(await join(url)).toBe("page");
    const channel = await next(coordinator.incomingChannels);
    const ended = channel.closed.catch(() => {}).then(() => "ended");
    const later = new Promise((resolve) => setTimeout(resolve, 9000, "open"));
    expect(await Promise.race([ended, later])).toBe("open");
  });

  test("are refused by authenticate, for their path: they are told why", async () => {
    const url = await serve();
    expect(await join(`${url}/nowhere`)).toMatchObject({
      code: "refused",
      message: "There is nothing at /nowhere",
      remote: true,
    });
    expect(await join(`${url}/somewhere`)).toBe("page");
  });

  describe("are not told by Chromium why they cannot: the error says what to look for", () => {
    const authority = createAuthority();
    const expired = authority.issue({ validDays: [-3, -1] });
    const longLived = authority.issue({ validDays: [-1, 20] });
    const cases: Record<string, { options?: Partial<QuicListenOptions>; hash?: Uint8Array | null }> = {
      "a certificate that has another hash": { hash: hash.toReversed() },
      "a certificate that nobody vouches for": { hash: null },
      "a certificate that has expired": { options: expired, hash: expired.hash },
      "a certificate that is valid for over 14 days": { options: longLived, hash: longLived.hash },
      "an origin that is not allowed": { options: { allowedOrigins: ["https://elsewhere.example"] } },
    };

    test.each(Object.entries(cases))("%s", async (_name, { options, hash: certificateHash }) => {
      const url = await serve(options);
      const startMs = performance.now();
      expect(await join(url, certificateHash)).toMatchObject({
        code: "unreachable",
        source: "connection",
        message: expect.stringMatching(
          /^Cannot open a session with https:.*: Opening handshake failed\. .*expired.*Hashes.*origin.*UDP.*console/,
        ) as string,
      });
      expect(performance.now() - startMs).toBeLessThan(refusedWithinMs);
      expect(asked).toEqual([]);
    });

    test("nobody there", async () => {
      const listener = await listen({ host: "127.0.0.1", cert, key });
      await listener.close();
      const error = await join(`https://127.0.0.1:${listener.address.port}`);
      expect(error).toMatchObject({ code: "unreachable", source: "connection" });
    });
  });

  test("what webtransport() does not take", async () => {
    const codes = await page.evaluate(async () => {
      const codeOf = (promise: Promise<unknown>) => promise.catch((error: { code: string }) => error.code);
      const signal = AbortSignal.abort({ code: "given up" });
      return await Promise.all([
        codeOf(conec.webtransport().connect("not a url")),
        codeOf(conec.webtransport().connect("http://localhost:1")),
        codeOf(conec.webtransport().connect("https://localhost:1/#fragment")),
        codeOf(conec.webtransport().connect("https://localhost:1", { signal })),
        codeOf(conec.webtransport({ WebTransport: 7 as never }).connect("https://localhost:1")),
      ]);
    });
    expect(codes).toEqual(["invalid-argument", "invalid-argument", "invalid-argument", "given up", "unsupported"]);
  });
});

/** Runs in the page. */
async function joinAs({ url, hash, id }: { url: string; hash: number[] | null; id: string }): Promise<unknown> {
  const hashes = hash && [{ algorithm: "sha-256", value: Uint8Array.from(hash) }];
  const transport = conec.webtransport(hashes ? { serverCertificateHashes: hashes } : {});
  return await conec.Client.connect(url, { transport, id }).then(
    (client) => client.id,
    ({ code, source, message, remote }: InstanceType<typeof conec.ConecError>) => ({ code, source, message, remote }),
  );
}
