// SPDX-License-Identifier: Apache-2.0
import type { Channel } from "../../index.ts";
import { ConecError } from "../../index.ts";
import { callOf, nextChannel } from "../connect/call.ts";
import type { ConnectionValues } from "../connect/connection-options.ts";
import { parseSeconds, readConnectionSettings } from "../connect/connection-settings.ts";
import type { ConnectionSettings } from "../connect/connection-settings.ts";
import { mayPass, Patience } from "../connect/patience.ts";
import { Session } from "../connect/session.ts";
import { closeCodes, whyEnded } from "../connect/why-ended.ts";
import type { Output } from "../output/output.ts";
import { Progress } from "../output/progress.ts";
import { bytesText, durationText } from "../output/quantities.ts";
import type { Context } from "../program/command.ts";
import { Failure, UsageError } from "../program/failure.ts";
import { Conflicts } from "./conflict.ts";
import type { ConflictPolicy } from "./conflict.ts";
import { filesProtocol } from "./file-messages.ts";
import { ReceivedFolder } from "./received-folder.ts";
import { Receiving } from "./receiving.ts";
import type { ReceivedEntry } from "./receiving.ts";

export interface ReceiveValues extends ConnectionValues {
  as: string | undefined;
  into: string | undefined;
  from: readonly string[];
  once: boolean;
  overwrite: boolean;
  rename: boolean;
  wait: string | undefined;
}

/** `conec receive` */
export async function receive(values: ReceiveValues, operands: readonly string[], context: Context): Promise<void> {
  const { as, from, once } = values;
  if (operands.length > 0)
    throw new UsageError("conec receive takes no operands; the folder is --into FOLDER", "receive");
  if (as === undefined) throw new UsageError("Under which name do others send? Give --as NAME", "receive");
  const waitMs = parseSeconds("--wait", values.wait ?? "60");
  const policy = policyOf(values);
  const settings = await readConnectionSettings(values);
  const folder = await ReceivedFolder.open(values.into ?? ".");
  await new ReceiveJob({ settings, as, from, once, waitMs, folder, conflicts: new Conflicts(policy) }, context).run();
}

function policyOf({ overwrite, rename }: ReceiveValues): ConflictPolicy {
  if (overwrite && rename) throw new UsageError("--overwrite and --rename exclude each other", "receive");
  if (overwrite) return "overwrite";
  return rename ? "rename" : "ask";
}

interface ReceiveJobOptions {
  settings: ConnectionSettings;
  as: string;
  from: readonly string[];
  once: boolean;
  waitMs: number;
  folder: ReceivedFolder;
  conflicts: Conflicts;
}

/** Everything that one `conec receive` takes, from anybody, over as many connections as it takes. */
class ReceiveJob {
  readonly #options: ReceiveJobOptions;
  readonly #output: Output;
  readonly #signal: AbortSignal;
  readonly #patience: Patience;
  readonly #busy = new Set<string>();
  /** With `--once`: the sender whose transfer is complete, and what was not taken of it. */
  #settleDone!: (refused: number) => void;
  readonly #done = new Promise<number>((resolve) => (this.#settleDone = resolve));
  #hasJoined = false;

  constructor(options: ReceiveJobOptions, { output, signal }: Context) {
    this.#options = options;
    this.#output = output;
    this.#signal = signal;
    this.#patience = new Patience(options.waitMs);
  }

  async run(): Promise<void> {
    const refused = await this.#serve();
    if (refused > 0) throw new Failure(`${refused} of what was sent was not taken: see above`);
  }

  /** Serves senders, over one connection after the other, until `--once` is done. */
  async #serve(): Promise<number> {
    for (;;) {
      try {
        return await this.#connectOnce();
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!this.#hasJoined || !mayPass(error)) throw error;
        const { waitMs } = this.#options;
        const fields = { code: error.code, message: error.message };
        const text = `Lost the Coordinator: ${error.message}. Trying again for up to ${durationText(waitMs / 1000)}`;
        this.#output.note("lost", fields, text);
        if (!(await this.#patience.pause(this.#signal))) throw error;
      }
    }
  }

  async #connectOnce(): Promise<number> {
    const { settings, as, from, folder, once } = this.#options;
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#signal, stop.signal]);
    const takings = new Set<Promise<void>>();
    await using session = await Session.join(settings, {
      id: as,
      accept: (offer) => {
        const caller = callOf(offer);
        if (caller?.service !== filesProtocol || caller.caller !== offer.peer.id) return false;
        if (from.length > 0 && !from.includes(offer.peer.id))
          throw new ConecError(
            "refused",
            `${JSON.stringify(as)} does not take files from ${JSON.stringify(offer.peer.id)}`,
          );
        return true;
      },
      signal,
    });
    session.desk.onGoaway = ({ reason }) => this.#output.note("goaway", { reason }, `The Coordinator: ${reason}`);
    await session.desk.listen(filesProtocol, { once: false, signal });
    this.#hasJoined = true;
    this.#patience.renew();
    const fields = { id: session.client.id, into: folder.path };
    this.#output.note("listening", fields, `Files for ${JSON.stringify(session.client.id)} go into ${folder.path}`);
    const takeAll = async (): Promise<never> => {
      for (;;) {
        const channel = await nextChannel(session, signal);
        const taking = this.#take(channel, signal);
        takings.add(taking);
        void taking.finally(() => takings.delete(taking));
      }
    };
    try {
      return await Promise.race([takeAll(), ...(once ? [this.#done] : [])]);
    } finally {
      stop.abort();
      await Promise.allSettled(takings);
    }
  }

  async #take(channel: Channel, signal: AbortSignal): Promise<void> {
    const { folder, conflicts, as } = this.#options;
    const { id, publicKey = "" } = channel.peer;
    const from = JSON.stringify(id);
    const progress = new Progress(this.#output, id, 0);
    let files = 0;
    let refused = 0;
    const onEntry = (news: ReceivedEntry): void => {
      if (news.result === "refused") refused += 1;
      else if (news.kind === "file") files += 1;
      this.#tell(news, id);
    };
    let closing: { closeCode: number; reason: string } = {
      closeCode: closeCodes.interrupted,
      reason: "The receiver was interrupted",
    };
    try {
      await Receiving.run({
        channel,
        folder,
        conflicts,
        owner: `${as}\n${publicKey}`,
        busy: this.#busy,
        signal,
        onExpected: (bytes) => (progress.totalBytes = (progress.totalBytes ?? 0) + bytes),
        onBytes: (bytes) => progress.add(bytes),
        onEntry,
      });
      // The sender closes the channel when it has heard the last answer.
      await Promise.race([channel.closed.catch(() => {}), aborted(signal)]);
      closing = { closeCode: closeCodes.done, reason: "done" };
      progress.end();
      const { bytes, seconds } = progress;
      const text = `${files} received from ${from}, ${bytesText(bytes)} moved in ${durationText(seconds)}`;
      this.#output.say("done", { from: id, files, refused, bytes, seconds }, text);
      this.#settleDone(refused);
    } catch (thrown) {
      progress.end();
      if (signal.aborted) return;
      const error = await whyEnded(channel, thrown);
      const reason = error instanceof ConecError ? error.message : "The receiver could not go on";
      closing = { closeCode: closeCodes.failed, reason };
      const message = error instanceof Error ? error.message : String(error);
      const text = `${from} is lost: ${message}. What has come stays, to go on when it is sent again`;
      this.#output.note("lost", { from: id, message }, text);
    } finally {
      await channel.close({ ...closing, signal: AbortSignal.timeout(closeTimeoutMs) }).catch(() => {});
    }
  }

  #tell(news: ReceivedEntry, from: string): void {
    if (news.result === "refused") {
      const { path, code, message } = news;
      return this.#output.say("refused", { from, path, code, message }, `${path}: ${message}`, {
        word: "refused",
        as: "bad",
      });
    }
    const { path, size, sha256, kind, result } = news;
    if (kind === "folder") return;
    const fields = { from, path, size, ...(sha256 !== undefined && { sha256 }), same: result === "same" };
    const hash = sha256 === undefined ? " (it was there)" : `, SHA-256 ${sha256}`;
    this.#output.say("received", fields, `${path} (${bytesText(size)})${hash}`, { word: "received", as: "good" });
  }
}

const closeTimeoutMs = 2000;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
