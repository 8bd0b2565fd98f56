// SPDX-License-Identifier: Apache-2.0
import { coordinatorCommand } from "../coordinator/coordinator-command.ts";
import { doctorCommand } from "../doctor/doctor-command.ts";
import { keyCommand } from "../connect/key-command.ts";
import { pipeCommand } from "../pipe/pipe-command.ts";
import { receiveCommand } from "../files/receive-command.ts";
import { sendCommand } from "../files/send-command.ts";
import { statusCommand } from "../status/status-command.ts";
import type { Command } from "./command.ts";

/** Everything that `conec` can do, in the order of the help text. */
export const commands: readonly Command[] = [
  coordinatorCommand,
  sendCommand,
  receiveCommand,
  pipeCommand,
  statusCommand,
  doctorCommand,
  keyCommand,
];
