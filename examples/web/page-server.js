/** Serves the page at http://localhost:PORT, which browsers take for a secure context without a certificate. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { AddressInfo } from "node:net" */

const here = fileURLToPath(new URL(".", import.meta.url));

/** Where what comes from which folder; a path has one name behind it. @type {Record<string, string>} */
const folders = {
  "/page/": join(here, "page"),
  "/shared/": join(here, "shared"),
  "/conec/": dirname(fileURLToPath(import.meta.resolve("conec/browser"))),
  "/noble-hashes/": dirname(fileURLToPath(import.meta.resolve("@noble/hashes/sha2.js"))),
};

/** @type {Record<string, string>} */
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** The only script in the page itself. */
const importMap = /<script type="importmap">([^]*?)<\/script>/.exec(
  readFileSync(join(here, "page", "index.html"), "utf8"),
)?.[1];
const importMapHash = createHash("sha256")
  .update(importMap ?? "")
  .digest("base64");

const headers = {
  // Nothing from elsewhere but the Coordinator, and no other page may put this one into a frame.
  "content-security-policy": [
    "default-src 'none'",
    `script-src 'self' 'sha256-${importMapHash}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self' https://127.0.0.1:*",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

/**
 * @param {{ port: number, config: () => object }} options `config` is what the page must know to connect
 */
export async function servePage({ port, config }) {
  const server = createServer((request, response) => {
    contentAt(new URL(request.url ?? "/", "http://localhost").pathname, config).then(
      ({ type, content }) => response.writeHead(200, { ...headers, "content-type": type }).end(content),
      () => response.writeHead(404, headers).end(),
    );
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  return {
    port: /** @type {AddressInfo} */ (server.address()).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * @param {string} path
 * @param {() => object} config
 */
async function contentAt(path, config) {
  if (path === "/config.json") return { type: types[".json"], content: JSON.stringify(config()) };
  const [, prefix = "", name = ""] =
    /^(\/[\w-]+\/)([\w-]+(?:\.[\w-]+)+)$/.exec(path === "/" ? "/page/index.html" : path) ?? [];
  const folder = Object.hasOwn(folders, prefix) ? folders[prefix] : undefined;
  const type = types[extname(name)];
  if (folder === undefined || type === undefined) throw new Error("Not found");
  return { type, content: await readFile(join(folder, name)) };
}
