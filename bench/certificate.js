import { execFileSync } from "node:child_process";
import { X509Certificate, createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A self-signed ECDSA P-256 certificate for this run of the bench.
 * @returns {import("./peers.js").Certificate}
 */
export function makeCertificate() {
  const folder = mkdtempSync(join(tmpdir(), "conec-bench-"));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  try {
    const options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 10 -subj /CN=localhost";
    const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    execFileSync("openssl", [...options.split(" "), "-addext", names, "-keyout", keyFile, "-out", certFile], {
      stdio: "ignore",
    });
    const cert = readFileSync(certFile, "utf8");
    const hash = createHash("sha256").update(new X509Certificate(cert).raw).digest();
    return { cert, key: readFileSync(keyFile, "utf8"), hash };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
