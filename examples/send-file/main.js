/**
 * Sends a file from one Client to another, through a Coordinator: three processes on this machine, over QUIC.
 *
 *   node examples/send-file/main.js [--compress] [FILE]
 *
 * Without a FILE, the node binary itself is sent. Exits with 0 only if what arrived has the same SHA-256.
 */
import { fork } from "node:child_process";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Progress } from "./progress.js";

/** @import { ChildProcess } from "node:child_process" */

const { values, positionals } = parseArguments();
const file = positionals[0] ?? process.execPath;
const bytes = await sizeOf(file);

/** @type {ChildProcess[]} */
const children = [];
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => end(130));

const coordinator = start("coordinator.js");
const { url, hash } = await message(coordinator, "listening");
console.log(`Coordinator listens at ${url}`);

const receiver = start("receiver.js", url, hash);
await message(receiver, "joined");
const sender = start("sender.js", url, hash, file, values.compress ? "gzip" : "");
await message(sender, "joined");
console.log(
  `Sending ${basename(file)} (${(bytes / 1e6).toFixed(1)} MB${values.compress ? ", compressed on the way" : ""})`,
);

const progress = new Progress(bytes);
receiver.on("message", (/** @type {any} */ news) => {
  if (news.type === "progress") progress.show(news.bytes);
});
const [sent, received] = await Promise.all([message(sender, "sent"), message(receiver, "received")]);
progress.end();

const equal = sent.sha256 === received.sha256 && received.bytes === bytes;
console.log(`sender    SHA-256 ${sent.sha256}`);
console.log(`receiver  SHA-256 ${received.sha256}  ${equal ? "equal" : "DIFFERENT"}`);
console.log(
  `${received.bytes} bytes in ${received.seconds.toFixed(2)} s: ${(received.bytes / 1e6 / received.seconds).toFixed(0)} MB/s through the Coordinator`,
);
end(equal ? 0 : 1);

function parseArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { compress: { type: "boolean", default: false } } });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nUsage: npm start -- [--compress] [FILE]`);
    process.exit(2);
  }
}

/** @param {string} path */
async function sizeOf(path) {
  try {
    const { size } = await stat(path);
    return size;
  } catch {
    console.error(`There is no file ${path}`);
    process.exit(2);
  }
}

/**
 * @param {string} program a file beside this one
 * @param {...string} args
 */
function start(program, ...args) {
  // A terminal's Ctrl-C reaches the whole process group: the children leave the answer to this process.
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), args, { detached: true });
  children.push(child);
  child.once("exit", (code) => {
    if (code !== 0) {
      console.error(`${program} ended with code ${code}`);
      end(1);
    }
  });
  return child;
}

/**
 * The next message of this type from a child.
 *
 * @param {ChildProcess} child
 * @param {string} type
 * @returns {Promise<any>}
 */
function message(child, type) {
  return new Promise((resolve) => {
    child.on("message", function listen(/** @type {any} */ news) {
      if (news.type !== type) return;
      child.off("message", listen);
      resolve(news);
    });
  });
}

/**
 * Ends the children, each of which closes its connection first, then this process.
 *
 * @param {number} code
 */
function end(code) {
  process.exitCode ??= code;
  for (const child of children.splice(0)) {
    child.removeAllListeners("exit");
    if (child.exitCode === null && child.connected) child.disconnect();
  }
}
