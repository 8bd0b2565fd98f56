// SPDX-License-Identifier: Apache-2.0
import { publicKeyOf } from "../../index.ts";
import { defineCommand } from "../program/command.ts";
import { UsageError } from "../program/failure.ts";

export const keyCommand = defineCommand({
  name: "key",
  summary: "shows the public key by which Coordinators know you",
  usage: "[--key FILE]",
  description: [
    "Everyone who joins a Coordinator proves a key. This prints the public half of yours, for the Coordinator's rules, and " +
      "where the key is. It is made if there is none yet. Whoever has the file is you: keep it to yourself.",
  ],
  options: {
    key: {
      value: "FILE",
      env: "CONEC_KEY",
      help: "the file, PEM; default key.pem in your configuration folder",
    },
  },
  connects: false,
  examples: [
    { what: "Your key", line: "conec key" },
    { what: "A key of its own for a job that runs by itself", line: "conec key --key backup.pem" },
  ],
  run: async ({ key }, operands, { output }) => {
    if (operands.length > 0) throw new UsageError("conec key takes no operands", "key");
    const { keyPath, loadKey } = await import("./connection-settings.ts");
    const publicKey = await publicKeyOf(await loadKey(key));
    output.say("key", { publicKey, path: keyPath(key) }, publicKey);
    if (!output.json) output.note("key", {}, `The key is in ${keyPath(key)}`);
  },
});
