// SPDX-License-Identifier: Apache-2.0
import { isIPv4 } from "node:net";

import { ConecError } from "../../core/errors.ts";
import { isLoopback, isPrivate, unmapped } from "./address-bytes.ts";
import {
  engineMaxDatagramBytes,
  ethernetDatagramBytes,
  ethernetDatagramBytes4,
  largeDatagramBytes,
  minDatagramBytes,
  streamWindowBytes,
} from "./config.ts";
import type { ProtocolOptions } from "./config.ts";

/** Sizes worth a probe below the largest: common tunnels, Ethernet, jumbo frames. */
const commonSizes = [1350, 1400, ethernetDatagramBytes, 4096, 8900];

/** What depends on where the other end is. */
export interface PathProfile extends ProtocolOptions {
  /** Datagram sizes to try, ascending. */
  readonly datagramCandidates: readonly number[];
}

export interface PathOptions {
  /** As an option: undefined picks by the path. */
  maxDatagramBytes: number | undefined;
  idleTimeoutMs: number;
  /** See {@link UdpEndpoint.largestDatagram}. */
  largestDatagram: number | undefined;
}

export function pathProfile(
  remoteHost: string,
  { maxDatagramBytes, idleTimeoutMs, largestDatagram }: PathOptions,
): PathProfile {
  const loopback = isLoopback(remoteHost);
  const usual = usualLimit(remoteHost, largestDatagram !== undefined);
  const most = Math.max(
    minDatagramBytes,
    Math.min(maxDatagramBytes ?? usual, largestDatagram ?? Infinity, engineMaxDatagramBytes),
  );
  return {
    idleTimeoutMs,
    maxDatagramBytes: most,
    maxStreamWindowBytes: loopback ? streamWindowBytes.loopback : streamWindowBytes.network,
    datagramCandidates: [...commonSizes.filter((bytes) => bytes < most), most],
  };
}

/**
 * Larger ones are not even tried. The engine counts congestion in units of the largest, so where no path carries more
 * than Ethernet does, the unit is that. Jumbo frames are found in networks of one owner, if at all.
 */
function usualLimit(remoteHost: string, isRouteKnown: boolean): number {
  if (isLoopback(remoteHost) || (isRouteKnown && isPrivate(remoteHost))) return largeDatagramBytes;
  return isRouteKnown && isIPv4(unmapped(remoteHost)) ? ethernetDatagramBytes4 : ethernetDatagramBytes;
}

export function assertMaxDatagramBytes(bytes: number | undefined): void {
  if (bytes === undefined || (Number.isInteger(bytes) && bytes >= minDatagramBytes && bytes <= 65_527)) return;
  const message = `Cannot use ${bytes} as maxDatagramBytes: not an integer from ${minDatagramBytes} to 65527`;
  throw new ConecError("invalid-argument", message);
}
