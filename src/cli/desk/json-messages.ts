// SPDX-License-Identifier: Apache-2.0
/** JSON objects over a stream of messages, checked against a schema as they come. */
import * as v from "valibot";

import { ConecError } from "../../index.ts";
import type { MessageReadable } from "../../index.ts";

/**
 * The messages of a stream, until it ends.
 *
 * @throws ConecError `protocol-error` for one that is too long, no JSON or not of the schema; what ended the stream
 */
export async function* jsonMessages<Schema extends v.GenericSchema>(
  readable: MessageReadable,
  schema: Schema,
  maxBytes: number,
): AsyncGenerator<v.InferOutput<Schema>> {
  for await (const message of readable) yield parseMessage(message, schema, maxBytes);
}

/** @throws ConecError `protocol-error` */
function parseMessage<Schema extends v.GenericSchema>(
  message: Uint8Array,
  schema: Schema,
  maxBytes: number,
): v.InferOutput<Schema> {
  if (message.length > maxBytes) throw fault(`a message of more than ${maxBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(message));
  } catch {
    throw fault("a message that is no JSON");
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw fault(`a message that is not right at ${v.getDotPath(issue) ?? "its top"}`);
}

export function jsonMessage(message: object): Uint8Array {
  return encoder.encode(JSON.stringify(message));
}

function fault(what: string): ConecError {
  return new ConecError("protocol-error", `The other end sent ${what}`, { source: "channel", remote: true });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
