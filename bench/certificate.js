import { createSelfSignedCertificate } from "conec/quic";

/**
 * The relay's certificate, for this run of the bench. It is made with conec's own helper for every peer alike, so that
 * no tool besides Node is needed.
 * @returns {import("./peers.js").Certificate}
 */
export function makeCertificate() {
  return createSelfSignedCertificate({ hosts: ["localhost", "127.0.0.1"], days: 2 });
}
