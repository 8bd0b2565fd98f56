// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../index.ts";
import type { Client, MessageReadable } from "../../index.ts";
import { answerSchema, deskProtocol, maxAnswerBytes } from "../desk/desk-messages.ts";
import type { Answer, AnswerOf, Request } from "../desk/desk-messages.ts";
import { jsonMessage, jsonMessages } from "../desk/json-messages.ts";

/** A request without its number. */
type Asked = Request extends infer Each ? (Each extends Request ? Omit<Each, "request"> : never) : never;

interface Pending {
  onAnswer: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/** A Client's side of the protocol of desk-messages.ts. */
export class DeskClient {
  readonly welcome: AnswerOf<"welcome">;
  /** Told when the Coordinator is about to close. */
  onGoaway: ((goaway: AnswerOf<"goaway">) => void) | undefined;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #pending = new Map<number, Pending>();
  #next = 1;
  #error: ConecError | undefined;

  /** @throws ConecError `timeout`, `unsupported` when the Coordinator does not speak the protocol; the signal's reason */
  static async open(client: Client, timeoutMs: number, signal: AbortSignal): Promise<DeskClient> {
    const writable = await client.coordinator.createUnidirectionalStream({ name: deskProtocol, signal });
    const writer = writable.getWriter();
    writer.closed.catch(() => {}); // pending requests tell
    const hint = new ConecError("unsupported", "This Coordinator is not one of the command line (conec coordinator)");
    let timer: NodeJS.Timeout | undefined;
    const inTime = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(hint), timeoutMs);
      // A Coordinator of another kind cancels the stream, or says nothing.
      writer.closed.catch(() => reject(hint));
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
    inTime.catch(() => {});
    try {
      const readable = await Promise.race([firstStream(client), inTime]);
      const answers = jsonMessages(readable, answerSchema, maxAnswerBytes);
      const first = await Promise.race([answers.next(), inTime]);
      if (first.done === true || first.value.type !== "welcome") throw hint;
      return new DeskClient(writer, first.value, answers);
    } finally {
      clearTimeout(timer);
    }
  }

  private constructor(
    writer: WritableStreamDefaultWriter<Uint8Array>,
    welcome: AnswerOf<"welcome">,
    answers: AsyncGenerator<Answer>,
  ) {
    this.#writer = writer;
    this.welcome = welcome;
    void this.#read(answers);
  }

  /** Takes channels for a service from now on: all, or only the first. @throws ConecError */
  async listen(service: string, { once, signal }: { once: boolean; signal: AbortSignal }): Promise<void> {
    await this.#ask({ type: "listen", service, once }, signal, (answer) => answer.type === "listening");
  }

  /**
   * Asks for a channel with another Client. Resolves when it has been made; it comes from `client.incomingChannels`.
   *
   * @throws ConecError `refused` and other reasons of the Coordinator; the signal's reason
   */
  async call(to: string, service: string, { signal, onWaiting }: CallOptions): Promise<void> {
    await this.#ask({ type: "call", to, service }, signal, (answer) => {
      if (answer.type === "waiting") onWaiting();
      return answer.type === "called";
    });
  }

  /** All pages of a status as one. @throws ConecError; the signal's reason */
  async status(signal: AbortSignal): Promise<AnswerOf<"status">> {
    const pages: AnswerOf<"status">[] = [];
    await this.#ask({ type: "status" }, signal, (answer) => {
      if (answer.type === "status") pages.push(answer);
      if (pages.length > maxPages) throw new ConecError("limit-exceeded", "The Coordinator's status has no end");
      return answer.type === "status" && !answer.more;
    });
    const clients = pages.flatMap((page) => page.clients);
    return { ...pages.at(-1)!, clients, channels: pages.flatMap((page) => page.channels) };
  }

  /** The Coordinator's time, in milliseconds since 1970, and how long the answer took. */
  async ping(signal: AbortSignal): Promise<{ timeMs: number; rttMs: number }> {
    const startMs = performance.now();
    let timeMs = 0;
    await this.#ask({ type: "ping" }, signal, (answer) => {
      if (answer.type === "pong") timeMs = answer.timeMs;
      return true;
    });
    return { timeMs, rttMs: performance.now() - startMs };
  }

  /** `onAnswer` says whether the answer was the last one. */
  async #ask(asked: Asked, signal: AbortSignal, onAnswer: (answer: Answer) => boolean): Promise<void> {
    signal.throwIfAborted();
    if (this.#error !== undefined) throw this.#error;
    const request = this.#next;
    this.#next += 1;
    let onAbort!: () => void;
    const answered = new Promise<void>((resolve, reject) => {
      onAbort = () => reject(signal.reason as Error);
      const take = (answer: Answer): void => {
        if (answer.type === "refused") reject(refusalOf(answer));
        else if (onAnswer(answer)) resolve();
      };
      this.#pending.set(request, { onAnswer: take, reject });
    });
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      this.#send({ ...asked, request });
      await answered;
    } catch (error) {
      if (signal.aborted) this.#send({ type: "cancel", request });
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#pending.delete(request);
    }
  }

  #send(message: Request): void {
    this.#writer.write(jsonMessage(message)).catch(() => {}); // the stream that is read tells
  }

  async #read(answers: AsyncGenerator<Answer>): Promise<void> {
    try {
      for await (const answer of answers) {
        if (answer.type === "goaway") this.onGoaway?.(answer);
        else if (answer.type !== "welcome") this.#pending.get(answer.request)?.onAnswer(answer);
      }
      this.#error = new ConecError("closed", "The Coordinator ended the conversation", { remote: true });
    } catch (thrown) {
      this.#error = thrown as ConecError;
    }
    for (const { reject } of this.#pending.values()) reject(this.#error);
  }
}

export interface CallOptions {
  signal: AbortSignal;
  /** The other one is not there, or does not take such calls: the call waits. */
  onWaiting: () => void;
}

/** 16 Clients a page: more than any Coordinator holds. */
const maxPages = 10_000;

async function firstStream(client: Client): Promise<MessageReadable> {
  const reader = client.coordinator.incomingUnidirectionalStreams.getReader();
  try {
    const { value, done } = await reader.read();
    if (done) throw new ConecError("closed", "The Coordinator closed the channel", { remote: true });
    return value;
  } finally {
    reader.releaseLock();
  }
}

function refusalOf({ code, message }: AnswerOf<"refused">): ConecError {
  const known = refusalCodes.find((each) => each === code) ?? "refused";
  return new ConecError(known, message, { source: "channel", remote: true });
}

const refusalCodes = ["refused", "limit-exceeded", "timeout", "peer-lost", "closed", "protocol-error"] as const;
