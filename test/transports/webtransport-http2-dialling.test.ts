/** `conec/webtransport` in Node, with the WebTransport class of @fails-components/webtransport: what dialling comes to. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import * as http2 from "node:http2";
import * as https from "node:https";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build, stop as stopEsbuild } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Connection, Listener } from "../../src/index.ts";
import { listen } from "../../src/transports/webtransport-server/index.ts";
import type { WebTransportOptions } from "../../src/transports/webtransport/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { WebTransport } from "../support/fails-components.ts";
import { rejection } from "../support/hub.ts";
import { cert, dial, hash, key, newServer, transport } from "../support/webtransport-http2.ts";

describe("dialling", () => {
  let listener: Listener;

  beforeAll(async () => {
    listener = await listen(newServer(), { path: "/conec" });
  });

  afterAll(() => listener.close());

  test("refuses a server whose certificate has another hash", async () => {
    const wrong = [{ algorithm: "sha-256", value: new Uint8Array(32) }];
    const error = await rejection(dial(listener, "/conec", { serverCertificateHashes: wrong }));
    expect(error).toMatchObject({ code: "certificate-untrusted" });
  });

  test("refuses a server that nobody vouches for", async () => {
    const error = await rejection(dial(listener, "/conec", { serverCertificateHashes: undefined }));
    expect(error).toMatchObject({ code: "certificate-untrusted" });
  });

  test("takes a hash that is a part of a larger buffer", async () => {
    const value = new Uint8Array(64);
    value.set(hash, 16);
    const hashes = [{ algorithm: "sha-256", value: value.subarray(16, 48) }];
    const client = await dial(listener, "/conec", { serverCertificateHashes: hashes });
    client.close();
  });

  test("refuses a certificate that is no longer valid, whatever its hash", async () => {
    const old = createAuthority().issue({ validDays: [-3, -1] });
    const other = await listen(newServer({ cert: old.cert, privKey: old.key }));
    const hashes = [{ algorithm: "sha-256", value: old.hash }];
    const error = await rejection(dial(other, "/", { serverCertificateHashes: hashes }));
    expect(error).toMatchObject({ code: "certificate-expired" });
    await other.close();
  });

  test("learns the status of a refusal", async () => {
    const error = await rejection(dial(listener, "/elsewhere"));
    expect(error).toMatchObject({ code: "refused", remote: true });
    expect((error as Error).message).toContain("404");
  });

  test("finds nobody", async () => {
    const nobody = await tcp((socket) => socket.destroy());
    const { port } = nobody.address() as AddressInfo;
    expect(await rejection(dialPort(port))).toMatchObject({ code: "unreachable" });
    await stop(nobody);
    expect(await rejection(dialPort(port))).toMatchObject({ code: "unreachable" });
    const unknown = transport().connect("https://no-such-host.invalid/");
    expect(await rejection(unknown)).toMatchObject({ code: "unreachable" });
  });

  test("finds something else", async () => {
    const server = https.createServer({ cert, key });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await rejection(dialPort(port))).toMatchObject({ code: "alpn-mismatch" });
    await stop(server);
  });

  test("does not wait for ever: nobody speaks TLS", async () => {
    const silent = await tcp((socket) => void socket.resume().on("error", () => {}));
    const { port } = silent.address() as AddressInfo;
    expect(await rejection(dialPort(port, { connectTimeoutMs: 200 }))).toMatchObject({ code: "timeout" });
    const reason = new Error("enough");
    const aborted = transport().connect(`https://127.0.0.1:${port}`, { signal: abortSoon(silent, reason) });
    expect(await rejection(aborted)).toBe(reason);
    await stop(silent);
  });

  test("does not wait for ever: nobody answers the request", async () => {
    const mute = http2.createSecureServer({ cert, key, settings: { enableConnectProtocol: true } });
    mute.on("stream", (stream) => stream.on("error", () => {}));
    mute.listen(0, "127.0.0.1");
    await once(mute, "listening");
    const { port } = mute.address() as AddressInfo;
    expect(await rejection(dialPort(port, { connectTimeoutMs: 300 }))).toMatchObject({ code: "timeout" });
    mute.close();
    await once(mute, "close");
  });

  test("can be given up at any moment", async () => {
    for (let attempt = 0; attempt < 150; attempt += 1) {
      const controller = new AbortController();
      // From a timer, so that the loop may have news of the connection in the same turn.
      const timer = setTimeout(() => controller.abort(new Error("enough")), attempt % 10);
      await dial(listener, "/conec", {}, controller.signal).then(
        (connection) => connection.close(),
        (error: unknown) => expect(error).toBe(controller.signal.reason),
      );
      clearTimeout(timer);
    }
  });

  test("waits for a class that is still loading", async () => {
    let tries = 0;
    class Slow extends WebTransport {
      constructor(...args: ConstructorParameters<typeof WebTransport>) {
        tries += 1;
        if (tries < 3) throw new Error("Lib quiche loading attempt did not end");
        super(...args);
      }
    }
    const client = await dial(listener, "/conec", { WebTransport: Slow });
    expect(tries).toBe(3);
    client.close();
  });

  test("keeps to its hashes also where an authority that is trusted has signed another certificate", async () => {
    const authority = createAuthority();
    const leaf = authority.issue({ hosts: ["somebody-else.example"] });
    const other = await listen(newServer({ cert: leaf.cert, privKey: leaf.key }));
    const folder = mkdtempSync(join(tmpdir(), "conec-test-"));
    try {
      writeFileSync(join(folder, "ca.pem"), authority.ca);
      const said = await dialElsewhere(other.address.port, { NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") });
      expect(said).toBe("certificate-untrusted");
    } finally {
      rmSync(folder, { recursive: true });
    }
    await other.close();
  });
});

async function dialPort(port: number, options?: WebTransportOptions): Promise<Connection> {
  return await dial({ address: { host: "127.0.0.1", port } }, "/", options);
}

/** A server that does that with every connection. */
async function tcp(onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function stop(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

/** Is aborted when the server has been dialled. */
function abortSoon(server: Server, reason: Error): AbortSignal {
  const controller = new AbortController();
  server.once("connection", () => controller.abort(reason));
  return controller.signal;
}

/** What a process with that environment says when it dials with a hash that no certificate has: a code, or `connected`. */
async function dialElsewhere(port: number, env: Record<string, string>): Promise<string> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const contents = `
    import { WebTransport } from "@fails-components/webtransport";
    import { webtransport } from "./src/transports/webtransport/index.ts";
    const serverCertificateHashes = [{ algorithm: "sha-256", value: new Uint8Array(32) }];
    const transport = webtransport({ WebTransport, serverCertificateHashes });
    const said = await transport.connect("https://127.0.0.1:${port}").then(() => "connected", ({ code }) => code);
    process.stdout.write("\\n" + said);
    process.exit();`;
  const stdin = { contents, resolveDir: root, loader: "ts" as const };
  const external = ["@fails-components/webtransport"];
  const built = await build({ stdin, external, bundle: true, write: false, format: "esm", platform: "node" });
  await stopEsbuild();
  const args = ["--input-type=module", "--eval", built.outputFiles[0]!.text];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env: { ...process.env, ...env } });
  return stdout.split("\n").at(-1)!;
}
