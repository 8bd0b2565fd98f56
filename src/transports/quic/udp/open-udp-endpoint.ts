// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../../core/errors.ts";
import { BatchEndpoint } from "./batch-endpoint.ts";
import { DgramEndpoint } from "./dgram-endpoint.ts";
import { loadLibc } from "./libc.ts";
import type { UdpEndpoint, UdpEndpointOptions } from "./udp-endpoint.ts";

/**
 * How datagrams pass between conec and the kernel:
 *
 * - `auto`: many a system call, on Linux with the optional package `koffi`; as `node` everywhere else. The environment
 *   variable `CONEC_UDP=node` says otherwise.
 * - `node`: by `node:dgram`, one a system call.
 */
export type UdpMode = "auto" | "node";

/** @throws ConecError `address-in-use`, `unreachable` (no route), `invalid-argument`. */
export async function openUdpEndpoint(options: UdpEndpointOptions, mode: UdpMode = "auto"): Promise<UdpEndpoint> {
  const isPlain = mode === "node" || process.env["CONEC_UDP"] === "node";
  const libc = isPlain ? undefined : await loadLibc();
  try {
    return libc === undefined ? await DgramEndpoint.open(options) : BatchEndpoint.open(libc, options);
  } catch (error) {
    throw asOpenError(error, options);
  }
}

/** @throws ConecError `invalid-argument` */
export function assertUdpMode(mode: UdpMode | undefined): void {
  if (mode === undefined || mode === "auto" || mode === "node") return;
  throw new ConecError("invalid-argument", `Cannot use ${String(mode)} as \`udp\`: it is "auto" or "node"`);
}

function asOpenError(cause: unknown, { bind, connect }: UdpEndpointOptions): ConecError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return new ConecError("address-in-use", `Cannot listen: UDP port ${bind?.port} is taken`, { cause });
  }
  if (code === "ERR_SOCKET_BAD_PORT" || code === "EADDRNOTAVAIL" || code === "EACCES" || code === "EINVAL") {
    if (connect === undefined || code !== "EADDRNOTAVAIL") {
      return new ConecError("invalid-argument", `Cannot open a UDP socket: ${message}`, { cause });
    }
  }
  return new ConecError("unreachable", `Cannot open a UDP socket: ${message}`, { cause });
}
