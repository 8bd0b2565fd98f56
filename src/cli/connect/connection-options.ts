// SPDX-License-Identifier: Apache-2.0
import type { Options, Values } from "../program/command.ts";

/** The options by which every command but `coordinator` finds its Coordinator. */
export const connectionOptions = {
  url: { value: "URL", env: "CONEC_URL", help: "where the Coordinator is: https://HOST:PORT" },
  hash: {
    value: "HEX",
    multiple: true,
    env: "CONEC_HASH",
    help: "SHA-256 of its certificate, as it prints it when the certificate is self-made",
  },
  ca: { value: "FILE", env: "CONEC_CA", help: "authorities to trust, PEM; default those of Node" },
  token: {
    value: "TOKEN",
    env: "CONEC_TOKEN",
    help: "what the Coordinator's rules want to see; others see it in the list of processes, so rather use the environment or a file",
  },
  "token-file": { value: "FILE", help: "the file that holds the token" },
  key: {
    value: "FILE",
    env: "CONEC_KEY",
    help: "the key by which you are known, PEM; made at first use; default key.pem in your configuration folder",
  },
  transport: { value: "LIST", help: "what to try, in this order; default quic,websocket" },
  timeout: { value: "SECONDS", help: "how long connecting may take; default 10" },
} as const satisfies Options;

export type ConnectionValues = Values<typeof connectionOptions>;
