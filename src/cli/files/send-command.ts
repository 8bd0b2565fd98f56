// SPDX-License-Identifier: Apache-2.0
import { defineCommand } from "../program/command.ts";

export const sendCommand = defineCommand({
  name: "send",
  summary: "sends files, folders or standard input to somebody who receives",
  usage: "FILE... --to NAME [options]",
  description: [
    "The other one runs conec receive --as NAME. What is there already with the same content is not sent again, and a file " +
      "that was cut goes on where it was, so sending once more after a fault is cheap. The SHA-256 of every file is compared " +
      "at both ends. Links within folders are skipped.",
    "A FILE that is called - is standard input. It cannot be read twice, so it does not survive a fault.",
  ],
  options: {
    to: { value: "NAME", help: "who is to have them" },
    as: { value: "NAME", help: "the name to join by; without it the Coordinator makes one up" },
    name: { value: "NAME", help: "what standard input is called there; default stdin" },
    wait: { value: "SECONDS", help: "how long to wait for the other one, at first and when it is lost; default 60" },
  },
  connects: true,
  examples: [
    { what: "One file", line: "conec send photo.jpg --to bob" },
    { what: "A folder and a file", line: "conec send holiday photo.jpg --to bob" },
    { what: "What another program writes", line: "tar -c holiday | conec send - --name holiday.tar --to bob" },
    { what: "For a program that reads what happens", line: "conec send photo.jpg --to bob --json" },
  ],
  run: async (...given) => (await import("./send.ts")).send(...given),
});
