// SPDX-License-Identifier: Apache-2.0
import { call, callOf } from "../connect/call.ts";
import type { ConnectionValues } from "../connect/connection-options.ts";
import { parseSeconds, readConnectionSettings } from "../connect/connection-settings.ts";
import type { ConnectionSettings } from "../connect/connection-settings.ts";
import { mayPass, Patience } from "../connect/patience.ts";
import { Session } from "../connect/session.ts";
import { closeCodes, whyEnded } from "../connect/why-ended.ts";
import type { Output } from "../output/output.ts";
import { Progress } from "../output/progress.ts";
import { bytesText, durationText, rateText } from "../output/quantities.ts";
import type { Context } from "../program/command.ts";
import { Failure, UsageError } from "../program/failure.ts";
import { filesProtocol } from "./file-messages.ts";
import { pathFault } from "./hostile-names.ts";
import { Sending } from "./sending.ts";
import type { Item, SentItem } from "./outgoing.ts";
import { checkRoots, walk } from "./walk.ts";

export interface SendValues extends ConnectionValues {
  to: string | undefined;
  as: string | undefined;
  name: string | undefined;
  wait: string | undefined;
}

/** `conec send` */
export async function send(values: SendValues, operands: readonly string[], context: Context): Promise<void> {
  const { to } = values;
  if (operands.length === 0)
    throw new UsageError("What is to be sent? Name files or folders, or - for standard input", "send");
  if (to === undefined) throw new UsageError("Who is to have it? Give --to NAME", "send");
  const stdinName = values.name ?? "stdin";
  const hasStdin = operands.includes("-");
  if (values.name !== undefined && !hasStdin)
    throw new UsageError("--name is for standard input, which is called -", "send");
  if (pathFault([stdinName]) !== undefined)
    throw new UsageError(`--name cannot be used: ${pathFault([stdinName])}`, "send");
  const roots = operands.filter((operand) => operand !== "-");
  await checkRoots(roots);
  const waitMs = parseSeconds("--wait", values.wait ?? "60");
  const settings = await readConnectionSettings(values);
  const job = new SendJob(
    { settings, to, as: values.as, waitMs, roots, stdinName: hasStdin ? stdinName : undefined },
    context,
  );
  try {
    await job.run();
  } finally {
    if (hasStdin) process.stdin.destroy();
  }
}

interface SendJobOptions {
  settings: ConnectionSettings;
  to: string;
  as: string | undefined;
  waitMs: number;
  roots: readonly string[];
  stdinName: string | undefined;
}

/** Everything that one `conec send` sends, over as many connections as it takes. */
class SendJob {
  readonly #options: SendJobOptions;
  readonly #output: Output;
  readonly #signal: AbortSignal;
  readonly #patience: Patience;
  readonly #progress: Progress;
  /** Paths that are settled. */
  readonly #settled = new Set<string>();
  #kept = 0;
  #failed = 0;
  #bytes = 0;
  #hasJoined = false;
  #hasReadStdin = false;

  constructor(options: SendJobOptions, { output, signal }: Context) {
    this.#options = options;
    this.#output = output;
    this.#signal = signal;
    this.#patience = new Patience(options.waitMs);
    this.#progress = new Progress(output, options.to);
  }

  async run(): Promise<void> {
    const { roots, stdinName, to } = this.#options;
    if (stdinName === undefined) void this.#countBytes(roots);
    while (!(await this.#tryOnce())) {
      // Again, from where it was.
    }
    this.#progress.end();
    const { seconds, rate } = this.#progress;
    const fields = { to, files: this.#kept, failed: this.#failed, bytes: this.#bytes, seconds };
    const text = `${this.#kept} sent to ${JSON.stringify(to)}, ${bytesText(this.#bytes)} in ${durationText(seconds)} (${rateText(rate)})`;
    this.#output.say("done", fields, text);
    if (this.#failed > 0) throw new Failure(`${this.#failed} of ${this.#failed + this.#kept} were not sent: see above`);
  }

  /** @returns whether everything is settled; false: it is worth another try */
  async #tryOnce(): Promise<boolean> {
    const { to, waitMs } = this.#options;
    try {
      await this.#sendAll();
      return true;
    } catch (error) {
      this.#progress.end();
      this.#signal.throwIfAborted();
      if (!this.#hasJoined || !mayPass(error)) throw error;
      if (this.#hasReadStdin) {
        const message = `${(error as Error).message}. What came from standard input cannot be sent again`;
        throw new Failure(message, undefined, "lost");
      }
      const fields = { code: error.code, message: error.message };
      this.#output.note(
        "lost",
        fields,
        `Lost ${JSON.stringify(to)}: ${error.message}. Trying again for up to ${durationText(waitMs / 1000)}`,
      );
      if (!(await this.#patience.pause(this.#signal))) throw error;
      return false;
    }
  }

  async #sendAll(): Promise<void> {
    const { settings, to, as, waitMs } = this.#options;
    const signal = this.#signal;
    await using session = await Session.join(settings, {
      id: as,
      accept: (offer) => offer.peer.id === to && callOf(offer)?.service === filesProtocol,
      signal,
    });
    if (!this.#hasJoined) {
      const { transport } = await session.client.getStats();
      this.#output.event("connected", { id: session.client.id, transport });
    }
    this.#hasJoined = true;
    const channel = await call(session, { to, service: filesProtocol, waitMs, signal, output: this.#output });
    let closeCode: number = closeCodes.failed;
    let reason = "The sender could not go on";
    try {
      await Sending.run({
        channel,
        items: this.#items(),
        signal,
        onBytes: (bytes, isSent) => {
          this.#patience.renew();
          if (isSent) this.#progress.add(bytes);
          else this.#progress.skip(bytes);
        },
        onItem: (item, result) => this.#settle(item, result),
      });
      closeCode = closeCodes.done;
      reason = "done";
    } catch (error) {
      if (signal.aborted) {
        closeCode = closeCodes.interrupted;
        reason = "The sender was interrupted";
      }
      throw await whyEnded(channel, error);
    } finally {
      await channel.close({ closeCode, reason, signal: AbortSignal.timeout(closeTimeoutMs) }).catch(() => {});
    }
  }

  async *#items(): AsyncGenerator<Item> {
    const { roots, stdinName } = this.#options;
    for await (const found of walk(roots)) {
      if (found.kind === "skipped") this.#skip(found.source, found.why);
      else if (!this.#settled.has(found.path.join("/"))) yield found;
    }
    if (stdinName === undefined || this.#settled.has(stdinName)) return;
    const readStdin = (): AsyncIterable<Uint8Array> => {
      this.#hasReadStdin = true;
      return process.stdin as AsyncIterable<Uint8Array>;
    };
    yield {
      kind: "stream",
      path: [stdinName],
      stream: { [Symbol.asyncIterator]: () => readStdin()[Symbol.asyncIterator]() },
    };
  }

  #skip(source: string, why: string): void {
    if (this.#settled.has(source)) return;
    this.#settled.add(source);
    this.#output.note("skipped", { source, why }, `Skipped ${source}: ${why}`);
  }

  #settle(item: Item, result: SentItem): void {
    const path = item.path.join("/");
    this.#settled.add(path);
    if ("code" in result) {
      this.#failed += 1;
      const { code, message } = result;
      return this.#output.say("failed", { path, code, message }, `${path}: ${message}`, {
        word: "not sent",
        as: "bad",
      });
    }
    if (item.kind === "folder") return;
    this.#kept += 1;
    this.#bytes += result.size;
    const { name, size, sha256 } = result;
    const fields = { path, name, size, ...(sha256 !== undefined && { sha256 }), same: result.result === "same" };
    const as = name === path ? "" : ` as ${name}`;
    const hash = sha256 === undefined ? "" : `, SHA-256 ${sha256}`;
    const same = result.result === "same" ? " (it was there)" : "";
    this.#output.say("sent", fields, `${path}${as} (${bytesText(size)})${hash}${same}`, { word: "sent", as: "good" });
  }

  async #countBytes(roots: readonly string[]): Promise<void> {
    let total = 0;
    for await (const found of walk(roots)) {
      if (this.#signal.aborted) return;
      if (found.kind === "file") total += found.size;
    }
    this.#progress.totalBytes = total;
  }
}

const closeTimeoutMs = 2000;
