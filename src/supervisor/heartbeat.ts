// SPDX-License-Identifier: Apache-2.0
/**
 * Loaded into a supervised process before its own code: tells its parent that the event loop turns, and lets the process
 * end when the parent is gone.
 */
import { heartbeatIntervalMs, heartbeatMessage } from "./heartbeat-message.ts";

const beat = (): void => void process.send?.(heartbeatMessage);
beat();
setInterval(beat, heartbeatIntervalMs).unref();
process.channel?.unref(); // a program that has nothing left to do may end
process.on("disconnect", () => process.exit(1));
