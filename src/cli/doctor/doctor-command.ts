// SPDX-License-Identifier: Apache-2.0
import { defineCommand } from "../program/command.ts";

export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "says whether the Coordinator can be reached, and what to do if not",
  usage: "[options]",
  description: [
    "Tries everything that can go wrong, one after the other, and has a line for each: what is well, or what is wrong and " +
      "what to do. It ends with 0 only if everything is well.",
  ],
  options: {
    as: { value: "NAME", help: "the name to join by; without it the Coordinator makes one up" },
    origin: {
      value: "ORIGIN",
      help: "asks for WebTransport as a page of this origin would, such as https://app.example",
    },
  },
  connects: true,
  examples: [
    { what: "Everything", line: "conec doctor" },
    { what: "Only what goes over TCP", line: "conec doctor --transport websocket" },
    { what: "For a program that watches a Coordinator", line: "conec doctor --json" },
  ],
  run: async (...given) => (await import("./doctor.ts")).doctor(...given),
});
