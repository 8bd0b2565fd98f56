import { certificateAttacks } from "./certificate-attacks.ts";
import { clientAuthority } from "./honest-process.ts";
import { underAttack } from "./under-attack.ts";

/** The engine looks at what strangers say, and at all of it where an authority is to vouch for them. */
underAttack("a Coordinator that asks Clients for certificates", certificateAttacks, {
  clientCertificates: {},
});
underAttack("a Coordinator that asks Clients for certificates of an authority", certificateAttacks, {
  clientCertificates: { ca: clientAuthority.ca },
});
