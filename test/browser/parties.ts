import { createSelfSignedCertificate, listen, quic } from "../../src/transports/quic/index.ts";
import type { Join } from "../conformance/paths.ts";
import type { TransportKind } from "../support/hub.ts";
import type { Bridge } from "./bridge.ts";

/** A certificate that browsers take by its hash. */
export const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });

/** Clients in Node dial with plain QUIC, at the port at which the pages arrive. */
export const quicAndPages: TransportKind = {
  name: "quic",
  listen: async () => {
    const listener = await listen({ host: "127.0.0.1", cert, key });
    return { listener, transport: nodeTransport, url: `https://127.0.0.1:${listener.address.port}` };
  },
};

export const nodeTransport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });

/** @param tab that joins, once it is asked for */
export function joinInTab(tab: () => Bridge): Join {
  return async (hub, id, limits) => await tab().join(hub.url, hash, { id, limits });
}
