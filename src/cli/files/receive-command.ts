// SPDX-License-Identifier: Apache-2.0
import { defineCommand } from "../program/command.ts";

export const receiveCommand = defineCommand({
  name: "receive",
  summary: "takes what others send",
  usage: "--as NAME [--into FOLDER] [options]",
  description: [
    "Takes files from everybody who may reach NAME, until Ctrl-C, or once. A file has a name of its own while it is not " +
      "whole (.NAME.….conec-part), and stays when its sender is lost: when the same one sends it again, it goes on from there.",
    "It never writes outside of the folder, whatever senders call their files, and never over a file of another content " +
      "unless it is told to: on a terminal it asks, elsewhere it refuses.",
  ],
  options: {
    as: { value: "NAME", help: "the name under which others send" },
    into: { value: "FOLDER", help: "where files go; made if it is not there; default the current folder" },
    from: { value: "NAME", multiple: true, help: "takes files only from these" },
    once: { help: "ends when one sender has sent everything" },
    overwrite: { help: "writes over files that are there" },
    rename: { help: "gives a file another name, such as photo (1).jpg, where its own is taken" },
    wait: { value: "SECONDS", help: "how long to try to get back to a Coordinator that was lost; default 60" },
  },
  connects: true,
  examples: [
    { what: "Files for bob go into the folder inbox, until Ctrl-C", line: "conec receive --as bob --into inbox" },
    {
      what: "What alice sends, once, and never over anything",
      line: "conec receive --as bob --from alice --once --rename",
    },
    { what: "For a program that reads what happens", line: "conec receive --as bob --once --json" },
  ],
  run: async (...given) => (await import("./receive.ts")).receive(...given),
});
