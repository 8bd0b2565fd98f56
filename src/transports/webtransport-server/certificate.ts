// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from "node:crypto";

import type { ServerCertificate } from "../../core/transport.ts";
import { serverCertificate } from "../quic/server-certificate.ts";

/** The certificate among the options that a server was made with: PEM, a chain with its leaf first. */
export function certificateOf(options: object): ServerCertificate | undefined {
  const { certhttp2, cert } = options as { certhttp2?: unknown; cert?: unknown };
  const [pem] = [certhttp2 ?? cert].flat();
  try {
    return serverCertificate(new X509Certificate(pem as string));
  } catch {
    return undefined;
  }
}
