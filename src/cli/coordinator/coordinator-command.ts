// SPDX-License-Identifier: Apache-2.0
import { defineCommand } from "../program/command.ts";

export const coordinatorCommand = defineCommand({
  name: "coordinator",
  summary: "runs a Coordinator, which everybody else connects to",
  usage: "[options]",
  description: [
    "Takes Clients over QUIC and WebTransport (UDP) and over WebSocket (TCP, the same port number), and makes channels " +
      "between those who ask for one another. It sees no file: it forwards bytes.",
    "Without --cert it makes a certificate for itself and prints its SHA-256, which Clients give as --hash. Such a " +
      "certificate is valid for 14 days; the next one is made, and its hash printed, a week before it is used. Both are kept " +
      "in the state folder, so that the hash is the same after a restart.",
    "Without --rules anybody who reaches the port may join, under any name. The file of rules is read again when it " +
      "changes; so are certificate files.",
    "On SIGTERM it tells its Clients, makes no more channels, waits for those that are there to end (--drain), and ends. On " +
      "SIGHUP it reads rules and certificates again.",
  ],
  options: {
    port: { value: "NUMBER", env: "CONEC_PORT", help: "port of UDP and TCP; default 4433; 0 takes a free one" },
    host: { value: "ADDRESS", help: "where to listen; default everywhere, over IPv6 and IPv4" },
    name: {
      value: "HOST",
      multiple: true,
      help: "what Clients call this machine: goes into the certificate that is made, and the first one into the URL that is printed",
    },
    cert: { value: "FILE", help: "certificate chain, PEM, leaf first; with --cert-key" },
    "cert-key": { value: "FILE", help: "key of the certificate, PEM: Ed25519, ECDSA or RSA" },
    rules: { value: "FILE", help: "who may join and who may reach whom, as JSON (docs/cli.md)" },
    state: {
      value: "FOLDER",
      env: "CONEC_STATE",
      help: "where a certificate that is made is kept; a folder for each Coordinator; default coordinator in your state folder",
    },
    drain: { value: "SECONDS", help: "how long SIGTERM lets open channels go on; default 30" },
    "observe-port": {
      value: "NUMBER",
      help: "port of TCP for a live page, and for metrics at /metrics in the format of Prometheus; default none",
    },
    "observe-host": {
      value: "ADDRESS",
      help: "where that port is; default 127.0.0.1. Whoever reaches it sees all Clients: there is no password",
    },
    supervise: { help: "runs in a process of its own, which is started again when it dies or hangs" },
    "no-websocket": { help: "no fallback over TCP" },
  },
  connects: false,
  examples: [
    { what: "To try it", line: "conec coordinator" },
    { what: "On a server that Clients call conec.example", line: "conec coordinator --name conec.example --supervise" },
    {
      what: "With the certificate of a web server, and only for those in the rules",
      line: "conec coordinator --port 4433 --cert fullchain.pem --cert-key privkey.pem --rules rules.json",
    },
    {
      what: "With a picture of what goes on at http://localhost:9464, and metrics",
      line: "conec coordinator --observe-port 9464",
    },
    { what: "For a program that reads what happens", line: "conec coordinator --port 0 --json" },
  ],
  run: async (...given) => (await import("./coordinator.ts")).coordinator(...given),
});
