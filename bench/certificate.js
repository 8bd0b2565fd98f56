import { createSelfSignedCertificate } from "conec/quic";

/**
 * The relay's certificate, for this run of the bench. It is made with conec's own helper for every peer alike, so that
 * no tool besides Node is needed.
 * @param {string[]} hosts
 * @returns {import("./peers.js").Certificate}
 */
export function makeCertificate(hosts) {
  return createSelfSignedCertificate({ hosts, days: 2 });
}
