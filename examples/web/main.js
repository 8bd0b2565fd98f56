/**
 * Files from tab to tab, and to and from folders: starts a Coordinator, and serves the page.
 *
 *   npm run web -- [--port 4480] [--into FOLDER]
 *
 * With --into, a folder takes part from the start, as "files". Ctrl-C ends it.
 */
import { parseArgs } from "node:util";
import { Coordinator } from "conec";
import { createSelfSignedCertificate, listen } from "conec/quic";
import { folderClient } from "./folder-client.js";
import { Lobby } from "./lobby.js";
import { servePage } from "./page-server.js";

const { port, into } = readArguments();
const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost", "127.0.0.1"] }); // valid for 14 days
const config = { url: "", hash: Buffer.from(hash).toString("hex") };

const page = await servePage({ port, config: () => config }).catch((error) => {
  console.error(`Cannot serve the page: ${error.message}`);
  process.exit(1);
});
const pageUrl = `http://localhost:${page.port}`;

const coordinator = new Coordinator({
  authenticate: (request) => Lobby.authenticate(request),
  limits: { maxMessageBytes: 16_384 }, // of the lobby's streams: files are forwarded, not received here
});
const listener = await listen({
  host: "127.0.0.1",
  port: 0,
  cert,
  key,
  allowedOrigins: [pageUrl, `http://127.0.0.1:${page.port}`],
});
config.url = `https://127.0.0.1:${listener.address.port}`;
coordinator.serve(listener);
void new Lobby(coordinator).run();

console.log(`Open ${pageUrl} in two tabs.`);
if (into === undefined) {
  console.log(
    `A folder takes part with: node examples/web/folder-client.js --page ${pageUrl} --as files --into FOLDER`,
  );
} else {
  await folderClient({ page: pageUrl, as: "files", into });
}

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, async () => {
    console.log("Closing.");
    await coordinator.close({ reason: "The Coordinator is gone" });
    await page.close();
  });
}

function readArguments() {
  try {
    const { values } = parseArgs({ options: { port: { type: "string", default: "4480" }, into: { type: "string" } } });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${values.port} is no port`);
    return { port, into: values.into };
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : String(error)}\nUsage: npm run web -- [--port PORT] [--into FOLDER]`,
    );
    process.exit(2);
  }
}
