import { ConecError } from "../../index.ts";
import type { Channel } from "../../index.ts";
import { closeCodes } from "./file-messages.ts";

/** Why the channel ended says more than that it did. */
export async function whyEnded(channel: Channel, error: unknown): Promise<unknown> {
  if (!(error instanceof ConecError) || error.code !== "closed") return error;
  const settled = Symbol("open");
  const ended = await Promise.race([channel.closed.catch((why: unknown) => why), Promise.resolve(settled)]);
  if (ended instanceof ConecError) return ended;
  if (typeof ended !== "object" || ended === null) return error;
  const { closeCode, reason } = ended as { closeCode: number; reason: string };
  if (reason === "") return error;
  const code = closeCode === closeCodes.failed ? "refused" : "closed";
  return new ConecError(code, reason, { source: "channel", remote: true, cause: error });
}
