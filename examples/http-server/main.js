/**
 * A web server with a Coordinator in it, on one port: Express and WebSocket on its TCP side, QUIC and WebTransport on UDP.
 * `GET /clients` says who is there, `POST /send/NAME` sends the body to that Client as a stream, as it comes.
 *
 *   node examples/http-server/main.js [PORT]
 *
 * Fastify and others that handle requests of `node:https` go in the place of Express.
 */
import { createServer } from "node:https";
import { Readable } from "node:stream";
import { Coordinator } from "conec";
import * as quic from "conec/quic";
import * as websocket from "conec/websocket";
import express from "express";

const [port = "8443"] = process.argv.slice(2);
const { cert, key, hash } = quic.createSelfSignedCertificate({ hosts: ["localhost", "127.0.0.1"] });
const coordinator = new Coordinator();

const app = express();
app.get("/clients", (_request, response) => {
  response.json([...coordinator.clients.keys()]);
});
app.post("/send/:name", async (request, response) => {
  const channel = coordinator.clients.get(request.params.name);
  if (channel === undefined) return void response.status(404).send("Nobody of that name\n");
  const writable = await channel.createUnidirectionalStream({ name: "post" });
  await /** @type {ReadableStream<Uint8Array>} */ (Readable.toWeb(request)).pipeTo(writable);
  response.send("received\n"); // by the Client's conec, which is what `pipeTo` waits for
});
app.use(
  (/** @type {Error} */ error, /** @type {any} */ _request, /** @type {any} */ response, /** @type {any} */ _next) => {
    response.status(502).send(`${error.message}\n`);
  },
);

const server = createServer({ cert, key }, app);
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
