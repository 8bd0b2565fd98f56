// SPDX-License-Identifier: Apache-2.0
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";

import { parseSeconds } from "../connect/connection-settings.ts";
import { stateFolder } from "../connect/folders.ts";
import type { ObserverListenOptions } from "../../observe/index.ts";
import type { Values } from "../program/command.ts";
import { UsageError } from "../program/failure.ts";
import type { CertificateOptions } from "./certificates.ts";

type CoordinatorValues = Values<{
  port: { value: string; help: string };
  host: { value: string; help: string };
  name: { value: string; multiple: true; help: string };
  cert: { value: string; help: string };
  "cert-key": { value: string; help: string };
  rules: { value: string; help: string };
  state: { value: string; help: string };
  drain: { value: string; help: string };
  "observe-port": { value: string; help: string };
  "observe-host": { value: string; help: string };
  supervise: { help: string };
  "no-websocket": { help: string };
}>;

export interface CoordinatorSettings {
  readonly port: number;
  readonly host: string | undefined;
  readonly certificate: CertificateOptions;
  readonly rulesPath: string | undefined;
  readonly drainMs: number;
  readonly websocket: boolean;
  readonly supervise: boolean;
  /** Where the live page and the metrics are, if anywhere. */
  readonly observe: ObserverListenOptions | undefined;
  /** By what Clients are told to dial this machine. */
  readonly publicHost: string;
}

/** @throws UsageError */
export function coordinatorSettings(values: CoordinatorValues): CoordinatorSettings {
  const { host, cert } = values;
  const key = values["cert-key"];
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError("--cert and --cert-key belong together: give both or none", "coordinator");
  const addresses = ownAddresses();
  const isEverywhere = host === undefined || host === "::" || host === "0.0.0.0";
  const publicHost = values.name[0] ?? (isEverywhere ? (addresses[0] ?? "localhost") : host);
  const loopback = ["localhost", "127.0.0.1", "::1"];
  return {
    port: parsePort("--port", values.port ?? "4433"),
    host,
    certificate: {
      cert,
      key,
      stateFolder: values.state ?? join(stateFolder(), "coordinator"),
      hosts: [...new Set([...values.name, publicHost, hostname(), ...loopback].filter(isAscii))],
    },
    rulesPath: values.rules,
    drainMs: parseSeconds("--drain", values.drain ?? "30"),
    websocket: !values["no-websocket"],
    supervise: values.supervise,
    observe: observeSettings(values),
    publicHost,
  };
}

function observeSettings(values: CoordinatorValues): ObserverListenOptions | undefined {
  const [port, host] = [values["observe-port"], values["observe-host"]];
  if (port === undefined && host !== undefined)
    throw new UsageError("--observe-host is of use with --observe-port only", "coordinator");
  if (port === undefined) return undefined;
  return {
    port: parsePort("--observe-port", port),
    // A proxy on this machine may ask by these names.
    ...(host === undefined ? { hostnames: values.name } : { host }),
  };
}

function parsePort(option: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new UsageError(`${option} must be a number from 0 to 65535, not ${JSON.stringify(text)}`, "coordinator");
}

/** Names in a certificate are ASCII (RFC 5280, section 4.2.1.6). */
function isAscii(name: string): boolean {
  return /^[\x21-\x7e]+$/.test(name);
}

/** Addresses under which others may reach this machine, IPv4 first. */
function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  return outer.sort((a, b) => Number(a.family === "IPv6") - Number(b.family === "IPv6")).map(({ address }) => address);
}
