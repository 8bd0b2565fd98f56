// SPDX-License-Identifier: Apache-2.0
import { ask, canAsk } from "../output/ask.ts";
import { printable } from "../output/printable.ts";
import { bytesText } from "../output/quantities.ts";
import { NotTaken } from "./received-folder.ts";
import type { Present } from "./received-folder.ts";

/** What is done about a file whose name is taken by another one. */
export type Resolution = "overwrite" | "rename";
export type ConflictPolicy = Resolution | "ask" | "refuse";

/** Decides, or asks the user, one question at a time. */
export class Conflicts {
  #policy: ConflictPolicy;
  #asking: Promise<unknown> = Promise.resolve();

  constructor(policy: ConflictPolicy) {
    this.#policy = policy === "ask" && !canAsk() ? "refuse" : policy;
  }

  /** @throws NotTaken; the signal's reason */
  async resolve(shown: string, present: Present, sizeText: string, signal: AbortSignal): Promise<Resolution> {
    if (this.#policy === "rename") return "rename";
    if (present.isFolder) throw new NotTaken("exists", `${shown} is a folder here`);
    if (!present.isFile) throw new NotTaken("exists", `${shown} is there already, and no file`);
    if (present.spelledAs !== undefined && this.#policy !== "ask")
      throw new NotTaken("differs", `${shown} has the same name here as ${present.spelledAs}, which is another file`);
    if (this.#policy === "overwrite") return "overwrite";
    if (this.#policy === "refuse")
      throw new NotTaken(
        "exists",
        `${shown} is there already with other content (--overwrite or --rename at the receiver)`,
      );
    const answered = this.#asking.then(() => this.#ask(shown, present, sizeText, signal));
    this.#asking = answered.catch(() => {});
    return await answered;
  }

  async #ask(shown: string, present: Present, sizeText: string, signal: AbortSignal): Promise<Resolution> {
    if (this.#policy !== "ask") return await this.resolve(shown, present, sizeText, signal);
    const there = `${bytesText(present.size)}, ${new Date(present.modifiedMs).toLocaleString()}`;
    const question =
      `${printable(present.spelledAs ?? shown)} is there already (${there}); ${sizeText} are to come.\n` +
      "  o overwrite it, r rename the new one, s skip; oa, ra, sa: so from now on\n? ";
    const answer = await ask(question, ["o", "r", "s", "oa", "ra", "sa"], signal);
    if (answer === "oa") this.#policy = "overwrite";
    if (answer === "ra") this.#policy = "rename";
    if (answer === "sa" || answer === undefined) this.#policy = "refuse";
    if (answer === "o" || answer === "oa") return "overwrite";
    if (answer === "r" || answer === "ra") return "rename";
    throw new NotTaken("exists", `${shown} is there already, and the receiver keeps it`);
  }
}
