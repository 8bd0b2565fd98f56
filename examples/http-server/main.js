/**
 * A web server with a Coordinator in it, on one port: HTTP and WebSocket on its TCP side, QUIC and WebTransport on UDP.
 * `GET /clients` says who is there, `POST /send/NAME` sends the body to that Client as a stream, as it comes.
 *
 *   node examples/http-server/main.js [PORT]
 *
 * Express, Fastify and others go into `createServer` in the place of `handle`.
 */
import { createServer } from "node:https";
import { Readable } from "node:stream";
import { Coordinator } from "conec";
import * as quic from "conec/quic";
import * as websocket from "conec/websocket";

/** @import { IncomingMessage, ServerResponse } from "node:http" */

const [port = "8443"] = process.argv.slice(2);
const { cert, key, hash } = quic.createSelfSignedCertificate({ hosts: ["localhost", "127.0.0.1"] });
const coordinator = new Coordinator();

const server = createServer({ cert, key }, (request, response) => {
  handle(request, response).catch((error) => response.writeHead(502).end(`${error.message}\n`));
});
const udp = await quic.listen({ host: "127.0.0.1", port: Number(port), cert, key });
await new Promise((resolve) => server.listen(udp.address.port, "127.0.0.1", () => resolve(undefined)));
coordinator.serve(udp);
coordinator.serve(await websocket.listen({ server }));

console.log(`https://127.0.0.1:${udp.address.port} ${Buffer.from(hash).toString("hex")}`);
process.once("SIGINT", async () => {
  await coordinator.close();
  server.close();
  server.closeAllConnections();
});

/** @param {IncomingMessage} request @param {ServerResponse} response */
async function handle(request, response) {
  const [, path, name = ""] = (request.url ?? "/").split("/");
  if (request.method === "GET" && path === "clients") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify([...coordinator.clients.keys()]));
  } else if (request.method === "POST" && path === "send") {
    const channel = coordinator.clients.get(decodeURIComponent(name));
    if (channel === undefined) return void response.writeHead(404).end("Nobody of that name\n");
    const writable = await channel.createUnidirectionalStream({ name: "post" });
    await /** @type {ReadableStream<Uint8Array>} */ (Readable.toWeb(request)).pipeTo(writable);
    response.writeHead(200).end("received\n"); // by the Client's conec, which is what `pipeTo` waits for
  } else {
    response.writeHead(404).end();
  }
}
