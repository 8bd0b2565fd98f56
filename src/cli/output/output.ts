// SPDX-License-Identifier: Apache-2.0
import type { WriteStream } from "node:tty";
import { printable } from "./printable.ts";

export interface OutputOptions {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** One JSON object a line on stdout, in place of texts. */
  json: boolean;
  env: NodeJS.ProcessEnv;
  /** Whoever read stdout is gone. */
  onClosed: () => void;
}

export type Mark = "good" | "bad" | "dim";

/**
 * Everything that a command says. Each thing is an event: with `--json` an object on stdout, else a line of text, where
 * results go to stdout and what is said on the way to stderr. All text is made printable here.
 */
export class Output {
  readonly json: boolean;
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  readonly #env: NodeJS.ProcessEnv;
  /** The last line of a terminal, which stays below all others. */
  #status = "";

  constructor({ stdout, stderr, json, env, onClosed }: OutputOptions) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#env = env;
    stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") onClosed();
    });
    stderr.on("error", () => {});
  }

  /** Whether somebody sees stderr on a terminal, and so a line that changes. */
  get isLive(): boolean {
    return !this.json && this.#stderr.isTTY && this.#env["TERM"] !== "dumb";
  }

  get columns(): number {
    return (this.#stderr as Partial<WriteStream>).columns ?? 80;
  }

  /** A result. */
  say(event: string, fields: object, text: string, mark?: { word: string; as: Mark }): void {
    if (this.json) return this.#writeJson(event, fields);
    this.#line(this.#stdout, text, mark);
  }

  /** Something on the way to it. */
  note(event: string, fields: object, text: string): void {
    if (this.json) return this.#writeJson(event, fields);
    this.#line(this.#stderr, text);
  }

  /** Text as it is, such as a help text; no event. */
  text(text: string): void {
    this.#write(this.#stdout, text);
  }

  /** Why the command ends without success: in one line on stderr, and with `--json` as an event, too. */
  error(code: string, message: string): void {
    if (this.json) this.#writeJson("error", { code, message });
    this.#line(this.#stderr, message, { word: "conec:", as: "bad" });
  }

  /** An event that only `--json` shows. */
  event(event: string, fields: object): void {
    if (this.json) this.#writeJson(event, fields);
  }

  /** Changes the last line of the terminal; empty takes it away. Elsewhere nothing happens. */
  setStatus(text: string): void {
    if (!this.isLive) return;
    this.#status = printable(text).slice(0, this.columns - 1);
    this.#write(this.#stderr, `\r${this.#status}\u001b[K`);
  }

  #line(stream: NodeJS.WriteStream, text: string, mark?: { word: string; as: Mark }): void {
    const word = mark === undefined ? "" : `${this.#painted(stream, mark)} `;
    const clear = this.#status === "" ? "" : "\r\u001b[K";
    if (clear !== "") this.#write(this.#stderr, clear);
    this.#write(stream, `${word}${printable(text)}\n`);
    if (clear !== "") this.#write(this.#stderr, this.#status);
  }

  #painted(stream: NodeJS.WriteStream, { word, as }: { word: string; as: Mark }): string {
    const noColor = this.#env["NO_COLOR"] ?? "";
    if (!stream.isTTY || noColor !== "" || this.#env["TERM"] === "dumb") return word;
    return `\u001b[${colors[as]}m${word}\u001b[0m`;
  }

  #writeJson(event: string, fields: object): void {
    this.#write(this.#stdout, `${JSON.stringify({ event, ...fields })}\n`);
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    if (!stream.destroyed && !stream.writableEnded) stream.write(text);
  }
}

const colors: Record<Mark, number> = { good: 32, bad: 31, dim: 2 };
