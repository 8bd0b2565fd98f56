import { ConecError } from "../../src/core/errors.ts";
import type { ConecErrorCode, ConecErrorSource } from "../../src/core/errors.ts";

/** A call of a method of a thing in the page, or a look at its property. The page knows things by their numbers. */
export interface Call {
  id: number;
  target: number;
  method: string;
  args: unknown[];
}

/** What came of a call. */
export interface Answer {
  id: number;
  value?: unknown;
  error?: unknown;
  failed?: boolean;
}

/** Something that stays where it is: a stream, a channel. The rest of the fields is what the other side has to know. */
export interface Tagged {
  $: string;
  [field: string]: unknown;
}

/**
 * Calls and answers as bytes: JSON, in which there may also be byte arrays, errors, undefined, any number, and what the
 * two hooks make of the things of their side. An error that goes over twice is one and the same at the other side.
 */
export class BridgeCodec<Sent extends Call | Answer, Received extends Call | Answer> {
  readonly #tag: (value: object) => Tagged | undefined;
  readonly #untag: (tagged: Tagged) => unknown;
  readonly #numbers = new WeakMap<Error, number>();
  readonly #errors = new Map<number, Error>();
  #lastError = 0;

  constructor(tag: (value: object) => Tagged | undefined, untag: (tagged: Tagged) => unknown) {
    this.#tag = tag;
    this.#untag = untag;
  }

  /** Length of the JSON (4 bytes), the JSON, the byte arrays one after the other. */
  encode(messages: readonly Sent[]): Uint8Array<ArrayBuffer> {
    const parts: Uint8Array[] = [];
    let partBytes = 0;
    const json = JSON.stringify(messages, (_key, value: unknown) => {
      if (value === undefined) return { $: "undefined" };
      if (typeof value === "number" && !Number.isFinite(value)) return { $: "number", text: String(value) };
      if (typeof value !== "object" || value === null) return value;
      if (value instanceof Error) return this.#tagError(value);
      if (!(value instanceof Uint8Array)) return this.#tag(value) ?? value;
      parts.push(value);
      partBytes += value.length;
      return { $: "bytes", length: value.length };
    });
    const head = new TextEncoder().encode(json);
    const frame = new Uint8Array(4 + head.length + partBytes);
    new DataView(frame.buffer).setUint32(0, head.length);
    let at = 4;
    for (const part of [head, ...parts]) {
      frame.set(part, at);
      at += part.length;
    }
    return frame;
  }

  decode(frame: Uint8Array<ArrayBuffer>): Received[] {
    let at = 4 + new DataView(frame.buffer, frame.byteOffset).getUint32(0);
    const json = new TextDecoder().decode(frame.subarray(4, at));
    return JSON.parse(json, (_key, value: unknown) => {
      if (typeof value !== "object" || value === null || !("$" in value)) return value;
      const tagged = value as Tagged;
      if (tagged.$ === "undefined") return undefined;
      if (tagged.$ === "number") return Number(tagged["text"]);
      if (tagged.$ === "error") return this.#untagError(tagged as TaggedError);
      if (tagged.$ !== "bytes") return this.#untag(tagged);
      at += tagged["length"] as number;
      return frame.slice(at - (tagged["length"] as number), at);
    }) as Received[];
  }

  #tagError(error: Error): TaggedError {
    const number = this.#numbers.get(error) ?? (this.#lastError += 1);
    this.#numbers.set(error, number);
    const { name, message, code, source, remote, streamErrorCode } = error as ConecError;
    return { $: "error", number, name, message, code, source, remote, streamErrorCode };
  }

  #untagError({ number, name, message, code, source, remote, streamErrorCode }: TaggedError): Error {
    const withCode = streamErrorCode === undefined ? {} : { streamErrorCode };
    const error =
      this.#errors.get(number) ??
      (name === "ConecError"
        ? new ConecError(code, message, { source, remote, ...withCode })
        : Object.assign(new Error(message), { name, ...withCode }));
    this.#errors.set(number, error);
    return error;
  }
}

interface TaggedError extends Tagged {
  number: number;
  name: string;
  message: string;
  code: ConecErrorCode;
  source: ConecErrorSource;
  remote: boolean;
  streamErrorCode: number | undefined;
}
