// SPDX-License-Identifier: Apache-2.0
import { defineCommand } from "../program/command.ts";

export const statusCommand = defineCommand({
  name: "status",
  summary: "shows who is there, and what goes on",
  usage: "[options]",
  description: [
    "Clients with their transport, round-trip time, rates and what they take calls for; channels between them. The " +
      "Coordinator's rules say how much of it you see. Rates are those of a second.",
  ],
  options: {
    as: { value: "NAME", help: "the name to join by; without it the Coordinator makes one up" },
    watch: { help: "goes on, once a second, until Ctrl-C" },
  },
  connects: true,
  examples: [
    { what: "Once", line: "conec status" },
    { what: "For a program, such as jq", line: "conec status --json" },
  ],
  run: async (...given) => (await import("./status.ts")).status(...given),
});
