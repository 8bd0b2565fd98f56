// SPDX-License-Identifier: Apache-2.0
import { supervise } from "../../supervisor/index.ts";
import type { SupervisorEvent } from "../../supervisor/index.ts";
import type { Context } from "../program/command.ts";
import { exitCodes } from "../program/exit-codes.ts";
import { Failure } from "../program/failure.ts";
import type { CoordinatorSettings } from "./settings.ts";

/** The same command in a process of its own, which is started again when it dies or hangs. */
export async function supervised(
  { drainMs }: Pick<CoordinatorSettings, "drainMs">,
  { output, interruption, signal }: Context,
): Promise<void> {
  let failure: Failure | undefined;
  const supervisor = supervise(new URL("../main.js", import.meta.url), {
    args: process.argv.slice(2).filter((arg) => arg !== "--supervise"),
    closeTimeoutMs: drainMs + closeMarginMs,
    onEvent: (event) => {
      output.say("supervisor", event, sentence(event));
      // What is wrong with the command line is so the next time, too.
      if (event.type === "ended" && event.code === exitCodes.usage && event.restartInMs !== undefined) {
        failure = new Failure("The Coordinator does not start: see above", exitCodes.usage, "usage");
        void supervisor.close();
      }
    },
  });
  const reload = (): void => {
    if (supervisor.pid !== undefined) process.kill(supervisor.pid, "SIGHUP");
  };
  process.on("SIGHUP", reload);
  interruption.onTerminate = () => void supervisor.close();
  // Ctrl-C goes to both processes: the other one is ending already.
  signal.addEventListener("abort", () => void supervisor.close(), { once: true });
  await supervisor.closed;
  process.off("SIGHUP", reload);
  if (failure !== undefined) throw failure;
}

/** What the Coordinator itself needs to close, after the drain. */
const closeMarginMs = 15_000;

function sentence(event: SupervisorEvent): string {
  switch (event.type) {
    case "started":
      return `supervisor: the Coordinator runs in process ${event.pid}`;
    case "hung":
      return `supervisor: process ${event.pid} does not answer any more`;
    case "ended": {
      const how = event.signal === null ? `with code ${event.code}` : `by ${event.signal}`;
      const next =
        event.restartInMs === undefined ? "" : `; another one starts in ${(event.restartInMs / 1000).toFixed(1)} s`;
      return `supervisor: process ${event.pid} ended ${how}${next}`;
    }
  }
}
