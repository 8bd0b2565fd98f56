import { ConecError } from "../../core/errors.ts";
import { isLoopback } from "./address-bytes.ts";
import { engineMaxDatagramBytes, ethernetDatagramBytes, minDatagramBytes, streamWindowBytes } from "./config.ts";
import type { ProtocolOptions } from "./config.ts";

/** Sizes worth a probe: common tunnels, Ethernet, jumbo frames, and what loopback carries. */
const commonSizes = [1350, 1400, ethernetDatagramBytes, 4096, 8900];

/** What depends on where the other end is. */
export interface PathProfile extends ProtocolOptions {
  /** Datagram sizes to try, ascending. */
  readonly datagramCandidates: readonly number[];
}

/** `maxDatagramBytes` as an option: undefined picks by the path. @throws ConecError `invalid-argument` */
export function pathProfile(
  remoteHost: string,
  { maxDatagramBytes, idleTimeoutMs }: { maxDatagramBytes: number | undefined; idleTimeoutMs: number },
): PathProfile {
  const loopback = isLoopback(remoteHost);
  const most = Math.min(
    maxDatagramBytes ?? (loopback ? engineMaxDatagramBytes : ethernetDatagramBytes),
    engineMaxDatagramBytes,
  );
  return {
    idleTimeoutMs,
    maxDatagramBytes: most,
    maxStreamWindowBytes: loopback ? streamWindowBytes.loopback : streamWindowBytes.network,
    datagramCandidates: [...commonSizes.filter((bytes) => bytes < most), most],
  };
}

export function assertMaxDatagramBytes(bytes: number | undefined): void {
  if (bytes === undefined || (Number.isInteger(bytes) && bytes >= minDatagramBytes && bytes <= 65_527)) return;
  const message = `Cannot use ${bytes} as maxDatagramBytes: not an integer from ${minDatagramBytes} to 65527`;
  throw new ConecError("invalid-argument", message);
}
