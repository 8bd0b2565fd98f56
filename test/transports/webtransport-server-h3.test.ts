/** `conec/webtransport-server` over HTTP/3, where the native addon of @fails-components/webtransport is installed. */
import { test } from "vitest";

import { listen } from "../../src/transports/webtransport-server/index.ts";
import { Http3Server, http3Missing } from "../support/fails-components.ts";
import { next } from "../support/hub.ts";
import { cert, dial, key } from "../support/webtransport-http2.ts";
import { transportContract } from "./contract.ts";

if (http3Missing !== undefined) test("a listener over HTTP/3", (context) => context.skip(http3Missing));
else {
  transportContract("webtransport over HTTP/3, with the addon", async () => {
    const options = { port: 0, host: "127.0.0.1", secret: "secret", cert, privKey: key };
    const server = new Http3Server(options as ConstructorParameters<typeof Http3Server>[0]);
    const listener = await listen(server, { path: "/contract" });
    const client = await dial(listener, "/contract");
    const connection = await next(listener.incomingConnections);
    return { client, server: connection, close: () => listener.close() };
  });
}
