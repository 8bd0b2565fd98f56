// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

import type { ServerCertificate } from "../../core/transport.ts";

/** What a connection says of the server's leaf certificate. */
export function serverCertificate(leaf: X509Certificate): ServerCertificate {
  return {
    certificateHashes: [new Uint8Array(createHash("sha256").update(leaf.raw).digest())],
    hasName: (host) => (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) !== undefined,
  };
}
