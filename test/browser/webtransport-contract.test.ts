/** The contract of core/transport.ts, with Chromium's WebTransport at the client's end. */
import { afterAll, beforeAll } from "vitest";

import { listen } from "../../src/transports/quic/index.ts";
import { next } from "../support/hub.ts";
import { transportContract } from "../transports/contract.ts";
import { Bridge } from "./bridge.ts";
import { inChromium } from "./in-chromium.ts";
import { cert, hash, key } from "./parties.ts";

inChromium("in Chromium", (pages) => {
  let bridge: Bridge;

  beforeAll(async () => {
    bridge = await Bridge.start(await pages().open());
  });

  afterAll(async () => {
    await bridge?.close();
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
