/** The contract of core/transport.ts, with Chromium's WebTransport at the client's end. */
import { afterAll, beforeAll, describe, inject, test } from "vitest";

import { createSelfSignedCertificate, listen } from "../../src/transports/quic/index.ts";
import { next } from "../support/hub.ts";
import { transportContract } from "../transports/contract.ts";
import { Bridge } from "./bridge.ts";
import { BrowserPages } from "./browser-page.ts";

const chromium = inject("chromium");
const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else {
  describe("in Chromium", () => {
    let pages: BrowserPages;
    let bridge: Bridge;

    beforeAll(async () => {
      pages = await BrowserPages.start(chromium.path);
      bridge = await Bridge.start(pages, await pages.open());
    });

    afterAll(async () => {
      await bridge?.close();
      await pages?.close();
    });

    transportContract(
      "webtransport",
      async () => {
        const listener = await listen({ host: "127.0.0.1", cert, key });
        const client = await bridge.connect(`https://127.0.0.1:${listener.address.port}/contract`, hash);
        const server = await next(listener.incomingConnections);
        return { client, server, close: () => listener.close() };
      },
      { maxErrorCode: 255 },
    );
  });
}
