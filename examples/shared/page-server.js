/** Serves an example's folder as pages, with conec, and with where its Coordinator is. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { AddressInfo } from "node:net" */

/** @type {Record<string, string>} */
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8" };

/**
 * Pages on `localhost` may use WebTransport without a certificate of their own; the Coordinator's they know by its hash.
 *
 * @param {URL} folder
 * @param {{ url: string, hash: Uint8Array }} coordinator
 * @returns the pages' URL, and `close`
 */
export async function servePages(folder, { url, hash }) {
  const config = JSON.stringify({ url, hash: [...hash] });
  const conec = fileURLToPath(import.meta.resolve("conec/browser"));
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/coordinator.json") return void response.end(config);
    const name = /^\/(\w[\w.-]*)?$/.exec(pathname)?.[1] ?? "index.html"; // one name, so nothing outside of the folder
    const file = name === "conec.js" ? conec : new URL(name, folder);
    const content = await readFile(file).catch(() => undefined);
    const type = types[extname(name)] ?? "application/octet-stream";
    response.writeHead(content === undefined ? 404 : 200, { "content-type": type }).end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  return {
    url: `http://localhost:${/** @type {AddressInfo} */ (server.address()).port}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
