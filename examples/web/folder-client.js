/**
 * A folder that takes part like a tab: takes what it is sent, and sends a file.
 *
 *   node examples/web/folder-client.js --as NAME --into FOLDER              takes every file
 *   node examples/web/folder-client.js --as NAME --send FILE --to NAME      sends one, then ends
 *
 *   --page URL    of the page, which tells where the Coordinator is; default http://localhost:4480
 *
 * Ctrl-C ends it. With --send it exits with 0 only if the file has arrived with the same SHA-256.
 */
import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { quic } from "conec/quic";
import { folderSink } from "./folder-sink.js";
import { Session } from "./shared/session.js";

/** @import { Transfer } from "./shared/transfer.js" */
/** @typedef {{ page: string, as: string, into?: string | undefined, send?: string | undefined, to?: string | undefined }} Options */

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

/**
 * Joins as a folder.
 *
 * @param {Options} options
 */
export async function folderClient({ page, as, into, send, to }) {
  const { url, hash } = await (await fetch(new URL("/config.json", page))).json();
  const session = await Session.join({
    url,
    transport: quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: Buffer.from(hash, "hex") }] }),
    name: as,
    kind: "folder",
    createHash: () => {
      const sha256 = createHash("sha256");
      return { update: (bytes) => void sha256.update(bytes), hex: () => sha256.digest("hex") };
    },
  });
  session.addEventListener("transfer", (event) => {
    const { transfer } = /** @type {import("./shared/session.js").TransferEvent} */ (event);
    if (transfer.direction === "in") void take(transfer, into);
  });
  if (into !== undefined) console.log(`Files for "${as}" go into ${resolve(into)}`);
  return { session, sent: send === undefined || to === undefined ? undefined : sendTo(session, send, to) };
}

/**
 * @param {Transfer} transfer
 * @param {string | undefined} into
 */
async function take(transfer, into) {
  const what = `${transfer.name} (${transfer.size} bytes) from ${transfer.peer.name}`;
  if (into === undefined) return transfer.cancel();
  try {
    const sink = await folderSink(into, transfer.name);
    transfer.accept(sink);
    await transfer.ended;
    console.log(
      transfer.state === "done"
        ? `${what}: ${sink.path()}\n  SHA-256 ${transfer.sha256}`
        : `${what}: ${transfer.problem}`,
    );
  } catch (error) {
    console.log(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    transfer.cancel();
  }
}

/**
 * Sends a file as soon as somebody of that name is here. Resolves to whether it has arrived.
 *
 * @param {Session} session
 * @param {string} path
 * @param {string} to
 */
async function sendTo(session, path, to) {
  const blob = await openAsBlob(path);
  const name = basename(path);
  const person = await somebodyNamed(session, to);
  const source = { name, size: blob.size, stream: () => /** @type {ReadableStream<Uint8Array>} */ (blob.stream()) };
  const transfer = session.offer(person, source);
  console.log(`Asking ${to} to take ${name}`);
  await transfer.ended;
  const isDone = transfer.state === "done";
  console.log(
    isDone ? `${to} has ${name}\n  SHA-256 ${transfer.sha256}, equal at both ends` : `${name}: ${transfer.problem}`,
  );
  return isDone;
}

/**
 * @param {Session} session
 * @param {string} name
 * @returns {Promise<import("./shared/messages.js").Person>}
 */
function somebodyNamed(session, name) {
  return new Promise((found, lost) => {
    const look = () => {
      const person = session.others.find((each) => each.name === name);
      if (person !== undefined) found(person);
    };
    session.addEventListener("people", look);
    session.closed.then(() => lost(new Error("The Coordinator is gone")), lost);
    look();
  });
}

async function main() {
  const options = readArguments();
  try {
    const { session, sent } = await folderClient(options);
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => void session.close());
    if (sent === undefined) {
      const why = await session.closed.then(
        ({ reason }) => reason,
        () => "The Coordinator is gone",
      );
      if (why !== "") console.log(why);
      return;
    }
    process.exitCode = (await sent) ? 0 : 1;
    await session.close();
  } catch (error) {
    const { message, cause } = /** @type {Error} */ (error);
    console.error(cause instanceof Error ? `${message}: ${cause.message}` : message);
    process.exitCode = 1;
  }
}

/** @returns {Options} */
function readArguments() {
  try {
    const text = /** @type {const} */ ({ type: "string" });
    const options = { as: text, into: text, send: text, to: text, page: { ...text, default: "http://localhost:4480" } };
    const { as, into, send, to, page } = parseArgs({ options }).values;
    if (as === undefined || (send === undefined) !== (to === undefined) || (into === undefined && send === undefined))
      throw new Error("Needed are --as NAME, and --into FOLDER or --send FILE --to NAME");
    return { as, into, send, to, page };
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    process.exit(2);
  }
}
