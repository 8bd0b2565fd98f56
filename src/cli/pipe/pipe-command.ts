// SPDX-License-Identifier: Apache-2.0
import { defineCommand } from "../program/command.ts";

export const pipeCommand = defineCommand({
  name: "pipe",
  summary: "connects standard input and output with those of somebody else",
  usage: "--as NAME [--to NAME] [options]",
  description: [
    "What comes in on standard input here goes out on standard output there, and the other way round. The end of the input " +
      "is passed on; the command ends when both directions have ended. Who reads slowly slows the writer down.",
    "Without --to it waits for the first one who calls NAME.",
  ],
  options: {
    as: { value: "NAME", help: "the name to join by" },
    to: { value: "NAME", help: "the other one" },
    wait: {
      value: "SECONDS",
      help: "how long to wait for the other one; default 60, without --to for as long as it takes",
    },
  },
  connects: true,
  examples: [
    { what: "At b, show what comes from a", line: "conec pipe --as b < /dev/null" },
    { what: "At a, send what a program writes", line: "tar -c holiday | conec pipe --as a --to b" },
    { what: "Both name each other; who starts first waits", line: "echo hello | conec pipe --as a --to b" },
  ],
  run: async (...given) => (await import("./pipe.ts")).pipe(...given),
});
