/** Calls that are carried out where a party is, and answered with plain data. */
import { ConecError } from "../../src/index.ts";
import type { ConecErrorCode, ConecErrorSource } from "../../src/index.ts";

export interface Call {
  method: string;
  args: unknown[];
}

export type Answer = { value: unknown } | { error: PlainError };

interface PlainError {
  message: string;
  conec?: { code: ConecErrorCode; source: ConecErrorSource; remote: boolean };
}

export async function carryOut(party: object, { method, args }: Call): Promise<Answer> {
  try {
    const value: unknown = await (party as Record<string, (...args: unknown[]) => unknown>)[method]!(...args);
    return { value };
  } catch (error) {
    if (!(error instanceof ConecError)) return { error: { message: String((error as Error).stack ?? error) } };
    const { code, source, remote, message } = error;
    return { error: { message, conec: { code, source, remote } } };
  }
}

/** What the call came to, on this side. */
export function resultOf(answer: Answer): unknown {
  if ("value" in answer) return answer.value;
  const { message, conec } = answer.error;
  throw conec === undefined ? new Error(message) : new ConecError(conec.code, message, conec);
}
