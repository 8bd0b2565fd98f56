/**
 * One file on its way, seen from one end. It goes as one data stream over a channel that the Coordinator has passed to
 * both; then each end says the SHA-256 of what it has sent or received on a second stream, and both compare.
 */
import { inWords } from "./words.js";

/** @import { Channel, MessageReadable } from "conec" */
/** @import { Person, Why } from "./messages.js" */

/** @typedef {() => { update(bytes: Uint8Array): void, hex(): string }} CreateHash SHA-256 of what comes in pieces. */
/** @typedef {{ name: string, size: number, stream(): ReadableStream<Uint8Array> }} Source What is sent. A File is one. */
/**
 * Where a file goes that is received.
 *
 * @typedef {object} Sink
 * @property {WritableStream<Uint8Array>} writable
 * @property {() => Promise<void>} keep It is whole and its checksum is right.
 * @property {() => Promise<void>} discard Also after a `keep` that failed.
 */
/**
 * - `asking`: the other end has yet to say whether it wants the file.
 * - `starting`: it does; the channel has yet to come.
 * - `moving`, `checking`: bytes, then checksums.
 * - `done`, `failed`: the end.
 *
 * @typedef {"asking" | "starting" | "moving" | "checking" | "done" | "failed"} State
 */

/** What cancelling is called on the way to the other end. */
const cancelled = "cancelled";

/** Fires `change` whenever anything that it shows has changed. */
export class Transfer extends EventTarget {
  /** @type {State} */
  state = "asking";
  /** Bytes so far. */
  bytes = 0;
  /** When bytes began and ended to move, by `performance.now()`. */
  startedMs = 0;
  endedMs = 0;
  /** SHA-256 of what this end has sent or received; and what the other end says. */
  sha256 = "";
  theirSha256 = "";
  /** What went wrong, in words, once it has failed. */
  problem = "";
  /** Resolves when it is done, or has failed and nothing of it is left. @type {Promise<void>} */
  ended;
  /** Tells the lobby what is decided here. @type {(accept: boolean) => void} */
  onAnswer = () => {};
  /** What is sent. @type {Source | undefined} */
  source;
  /** @type {Sink | undefined} */
  #sink;
  #createHash;
  #stop = new AbortController();
  /** Rejects when this end stops it. @type {Promise<never>} */
  #stopped;
  #settleEnded = () => {};

  /** @param {{ direction: "in" | "out", peer: Person, name: string, size: number, createHash: CreateHash }} options */
  constructor({ direction, peer, name, size, createHash }) {
    super();
    this.direction = direction;
    this.peer = peer;
    this.name = name;
    this.size = size;
    this.#createHash = createHash;
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.#stopped = new Promise((_, reject) => {
      const { signal } = this.#stop;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    this.#stopped.catch(() => {});
  }

  get hasEnded() {
    return this.state === "done" || this.state === "failed";
  }

  /**
   * Takes a file that was offered.
   *
   * @param {Sink} sink
   */
  accept(sink) {
    if (this.state !== "asking") return void sink.discard();
    this.#sink = sink;
    this.#become("starting");
    this.onAnswer(true);
  }

  /** Says no to an offer, takes an offer back, or ends what is under way; the other end is told. */
  cancel() {
    if (this.hasEnded) return;
    if (this.state === "asking" || this.state === "starting") this.onAnswer(false);
    this.#fail(this.direction === "in" && this.state === "asking" ? "Declined" : "Cancelled here");
    this.#stop.abort(new Error(cancelled));
  }

  /**
   * The lobby says that nothing comes of it.
   *
   * @param {Why} why
   * @param {string} [who] Default the other end.
   */
  over(why, who = this.peer.name) {
    this.#fail(inWords(why, who));
    this.#stop.abort(new Error(cancelled));
  }

  /**
   * Both ends want it: here is the channel.
   *
   * @param {Channel} channel
   */
  async run(channel) {
    const streams = channel.incomingUnidirectionalStreams.getReader();
    try {
      this.startedMs = performance.now();
      this.#become("moving");
      if (this.direction === "out") await this.#send(channel);
      else await this.#receive(await Promise.race([next(streams), this.#stopped]));
      this.endedMs = performance.now();
      this.#become("checking");
      const checking = Promise.all([next(streams).then(textOf), this.#tellSha256(channel)]);
      [this.theirSha256] = await Promise.race([checking, this.#stopped]);
      if (this.theirSha256 !== this.sha256) throw new Error("The checksums differ: what arrived is not what was sent");
      await this.#sink?.keep();
      if (this.direction === "out") await channel.close({ reason: "done" });
      this.#become("done");
      this.#settleEnded();
    } catch (error) {
      this.#fail(inWords(error, this.peer.name));
      await channel.close({ reason: cancelled }).catch(() => {});
    }
  }

  /** @param {Channel} channel */
  async #send(channel) {
    const source = /** @type {Source} */ (this.source);
    const { signal } = this.#stop;
    const writable = await channel.createUnidirectionalStream({ name: "file", signal });
    await source.stream().pipeThrough(this.#counting()).pipeTo(writable, { signal }); // the other end has it all
    if (this.bytes !== this.size) throw new Error("The file changed while it was read");
  }

  /** @param {MessageReadable} readable */
  async #receive(readable) {
    const { writable } = /** @type {Sink} */ (this.#sink);
    const { signal } = this.#stop;
    await readable.pipeThrough(this.#counting()).pipeTo(writable, { signal });
    if (this.bytes !== this.size) throw new Error("The file is shorter than was said");
  }

  /** Counts and hashes what passes. */
  #counting() {
    const hash = this.#createHash();
    /** @type {TransformStream<Uint8Array, Uint8Array>} */
    const { readable, writable } = new TransformStream({
      transform: (chunk, controller) => {
        this.bytes += chunk.length;
        if (this.bytes > this.size) throw new Error("The file is longer than was said");
        hash.update(chunk);
        controller.enqueue(chunk);
        this.dispatchEvent(new Event("change"));
      },
      flush: () => {
        this.sha256 = hash.hex();
      },
    });
    return { readable, writable };
  }

  /** @param {Channel} channel */
  async #tellSha256(channel) {
    const writer = (await channel.createUnidirectionalStream({ name: "sha256" })).getWriter();
    void writer.write(new TextEncoder().encode(this.sha256)).catch(() => {}); // close() tells
    await writer.close();
  }

  /** @param {string} problem */
  #fail(problem) {
    if (this.hasEnded) return;
    this.problem = problem;
    this.endedMs = performance.now();
    this.#become("failed");
    const discarded = this.#sink?.discard().catch(() => {});
    void Promise.resolve(discarded).then(() => this.#settleEnded());
  }

  /** @param {State} state */
  #become(state) {
    if (this.hasEnded) return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * The next stream that the other end opens.
 *
 * @param {ReadableStreamDefaultReader<MessageReadable>} streams
 */
async function next(streams) {
  const { value, done } = await streams.read();
  if (done) throw new Error(cancelled);
  return value;
}

/** @param {ReadableStream<Uint8Array>} readable of a short text */
async function textOf(readable) {
  let text = "";
  for await (const message of readable) text += new TextDecoder().decode(message);
  return text;
}
