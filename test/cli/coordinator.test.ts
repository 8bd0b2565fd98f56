/** The Coordinator of the command line: rules, certificates, drain, supervision. */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { parsePrometheus, valueOf } from "../observe/prometheus-parser.ts";
import { createAuthority } from "../support/certificates.ts";
import { Conec, eventsOf } from "./conec.ts";
import type { Program } from "./conec.ts";

let conec: Conec;
beforeAll(() => {
  conec = new Conec();
}, 60_000);
afterAll(() => conec.close());

const started: Program[] = [];
afterEach(() => Promise.all(started.splice(0).map((program) => program.end())));

async function coordinator(...args: string[]): Promise<Program> {
  const program = await conec.useCoordinator(args);
  started.push(program);
  return program;
}

test("a port to watch it by: the live page and metrics, on this machine, until it ends", async () => {
  const program = await coordinator("--observe-port", "0");
  const observing = await program.event("observing");
  expect(observing["host"]).toBe("127.0.0.1");
  const receiving = conec.start(["receive", "--as", "bob", "--json", "--into", "observe-in"], { input: "" });
  started.push(receiving);
  await receiving.event("listening");
  const metrics = parsePrometheus(await (await fetch(observing["metrics"] as string)).text());
  expect(valueOf(metrics, "conec_coordinator_active_clients", { conec_client_state: "connected" })).toBe(1);
  const [connections] = metrics.get("conec_listener_active_connections")!.samples;
  expect(connections).toMatchObject({ value: 1, labels: { conec_transport: "quic" } });
  const page = await (await fetch(observing["page"] as string)).text();
  expect(page).toMatch(/^<!doctype html>/);

  program.kill("SIGTERM");
  expect((await program.ended).code).toBe(0);
  expect((await conec.run(["coordinator", "--observe-host", "::1"])).stderr).toMatch("with --observe-port only");
  expect((await conec.run(["coordinator", "--observe-port", "x"])).stderr).toMatch("--observe-port must be a number");
});

let count = 0;
function rulesFile(content: object | string): string {
  count += 1;
  const path = join(conec.folder, `rules-${count}.json`);
  write(path, content);
  return path;
}

function write(path: string, content: object | string): void {
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
}

test("rules: who may join and reach whom, changed while running; who is not allowed any more is closed", async () => {
  const key = async (name: string) => (await conec.run(["key", "--key", `${name}.pem`])).stdout.trim();
  const [aliceKey, bobKey] = [await key("alice"), await key("bob")];
  expect(aliceKey).toMatch(/^ed25519:/);
  const alice = { id: "alice", publicKey: aliceKey };
  const bob = { id: "bob", publicKey: bobKey };
  const path = rulesFile({ clients: [alice, bob] });
  const program = await coordinator("--rules", path);

  // A stranger is refused, and told nothing of why.
  const stranger = await conec.run(["status", "--as", "alice", "--key", "mallory.pem"]);
  expect(stranger).toMatchObject({ code: 4, stdout: "" });
  expect(stranger.stderr).toBe(`conec: The Coordinator's rules let nobody in as "alice" with this key and no token\n`);
  await program.event("refused", { id: "alice" });

  // Alice is in, but may not reach bob, whether he is there or not.
  const receiving = conec.start(["receive", "--as", "bob", "--key", "bob.pem", "--json", "--into", "rules-in"], {
    input: "",
  });
  await receiving.event("listening");
  writeFileSync(join(conec.folder, "a"), "a");
  const send = ["send", "a", "--to", "bob", "--as", "alice", "--key", "alice.pem"];
  expect((await conec.run(send)).stderr).toMatch('conec: "alice" may not reach "bob"');

  // A file that is not right changes nothing, and says where.
  write(path, `{\n "clients": [\n  { "id": "alice", "reech": [] }\n ]\n}`);
  const fault = await program.event("rules", { state: "fault" });
  expect(fault["message"]).toBe(`${path}:3: clients[0].reech is not known here; the rules from before stay in force`);
  expect((await conec.run(send)).code).toBe(4);

  write(path, { clients: [{ ...alice, reach: ["bo*"] }, bob] });
  await program.event("rules", { state: "changed" });
  expect((await conec.run(send)).code).toBe(0);
  expect(readFileSync(join(conec.folder, "rules-in", "a"), "utf8")).toBe("a");

  write(path, { clients: [alice] });
  const closed = await receiving.ended;
  expect(closed).toMatchObject({ code: 4 });
});

test("rules: tokens, by the environment, a file or an option; what each may see", async () => {
  const path = rulesFile({
    clients: [
      { id: "admin", token: "open sesame", status: "all" },
      { id: "kiosk-*", token: "kiosk" },
    ],
  });
  const program = await coordinator("--rules", path);
  writeFileSync(join(conec.folder, "token"), "open sesame\n");
  const seen = async (args: string[], env = {}) =>
    eventsOf(await conec.run(["status", "--json", ...args], { env })).at(-1)!;
  const all = await seen(["--token-file", "token"]);
  expect(all).toMatchObject({
    event: "status",
    clients: [{ host: "127.0.0.1", id: expect.stringMatching(/^admin~/) }],
  });
  const own = await seen([], { CONEC_TOKEN: "kiosk" });
  expect(own).toMatchObject({ event: "status", clients: [{ id: expect.stringMatching(/^kiosk-/) }] });
  expect((own["clients"] as object[])[0]).not.toHaveProperty("host");
  const wrong = await conec.run(["status", "--token", "wr0ng"]);
  expect(wrong).toMatchObject({ code: 4, stderr: expect.not.stringContaining("wr0ng") });
  expect(program.stdout).not.toMatch(/wr0ng|sesame|"token"/);
});

test("rules that are not right from the start: it does not start, also supervised", async () => {
  const path = rulesFile(`{ "clients": [ { "id": "a" }, ] }`);
  for (const more of [[], ["--supervise"]]) {
    const ended = await conec.run(["coordinator", "--port", "0", "--rules", path, ...more]);
    expect(ended).toEqual({
      code: 2,
      stdout: "",
      stderr: `conec: ${path}:1: this is no JSON: a value is expected here\n`,
    });
  }
});

test("certificate files are read again when they change, both or none", async () => {
  const authority = createAuthority();
  const [old, next] = [authority.issue(), authority.issue()];
  const [cert, key] = [join(conec.folder, "cert.pem"), join(conec.folder, "cert-key.pem")];
  writeFileSync(join(conec.folder, "ca.pem"), authority.ca);
  write(cert, old.cert);
  write(key, old.key);
  const program = await coordinator("--cert", cert, "--cert-key", key);
  const env = { CONEC_HASH: "", CONEC_CA: "ca.pem" };
  expect((await conec.run(["status"], { env })).code).toBe(0);
  write(cert, next.cert);
  await program.event("certificate", { state: "fault" });
  expect((await conec.run(["status"], { env })).code).toBe(0);
  write(key, next.key);
  await program.event("certificate", { state: "changed", hash: Buffer.from(next.hash).toString("hex") });
  for (const transport of ["quic", "websocket"]) {
    const hash = Buffer.from(next.hash).toString("hex");
    expect((await conec.run(["status", "--transport", transport], { env: { CONEC_HASH: hash } })).code).toBe(0);
  }
});

test("a self-made certificate has the same hash after a restart", async () => {
  const state = conec.newFolder("state-kept");
  const hashes: unknown[] = [];
  for (let round = 0; round < 2; round += 1) {
    const program = await coordinator("--state", state);
    hashes.push((await program.event("listening"))["hash"]);
    program.kill("SIGTERM");
    expect((await program.ended).code).toBe(0);
  }
  expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(hashes[1]).toBe(hashes[0]);
});

test("what it prints is a command line that works", async () => {
  const program = conec.start(["coordinator", "--port", "0", "--host", "127.0.0.1"], { input: "" });
  started.push(program);
  const [, options = ""] = await program.printed(/npx conec receive (.*) --as NAME/);
  const env = { CONEC_URL: "", CONEC_HASH: "" };
  expect((await conec.run(["doctor", ...options.split(" ")], { env })).code).toBe(0);
});

test("on SIGTERM it tells its Clients, makes no more channels and waits for those that are open", async () => {
  const program = await coordinator();
  const b = conec.start(["pipe", "--as", "b"]);
  await b.printed(/Waiting for somebody/);
  const a = conec.start(["pipe", "--as", "a", "--to", "b"]);
  await a.printed(/Connected/);
  const bystander = conec.start(["receive", "--as", "c", "--json", "--wait", "0.1"], { input: "" });
  await bystander.event("listening");
  program.kill("SIGTERM");
  expect(await program.event("draining")).toMatchObject({ channels: 1 });
  expect(await bystander.event("goaway")).toMatchObject({ reason: "The Coordinator is shutting down" });
  expect(await conec.run(["status"])).toMatchObject({ code: 4, stderr: "conec: The Coordinator is shutting down\n" });
  // The open channel still works, to its end.
  a.child.stdin.end("to b");
  b.child.stdin.end("to a");
  expect((await a.ended).stdout).toBe("to a");
  expect((await b.ended).stdout).toBe("to b");
  expect((await program.ended).code).toBe(0);
  expect((await bystander.ended).code).not.toBe(0);
});

test("but not longer than --drain", async () => {
  const program = await coordinator("--drain", "0.3");
  const b = conec.start(["pipe", "--as", "b"]);
  await b.printed(/Waiting for somebody/);
  const a = conec.start(["pipe", "--as", "a", "--to", "b"]);
  await a.printed(/Connected/);
  program.kill("SIGTERM");
  expect((await program.ended).code).toBe(0);
  for (const each of [a, b]) {
    const { code, stderr } = await each.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/conec: .*The Coordinator is shutting down\n$/);
  }
});

test("supervised: killed it is back at the same port with the same certificate; SIGTERM ends both", async () => {
  const { createSocket } = await import("node:dgram");
  const socket = createSocket("udp4");
  const port = await new Promise<number>((resolve) => {
    socket.bind(0, "127.0.0.1", () => resolve(socket.address().port));
  });
  await new Promise<void>((resolve) => socket.close(resolve));
  const args = ["coordinator", "--port", String(port), "--host", "127.0.0.1", "--json", "--supervise"];
  const program = conec.start(args, { input: "" });
  started.push(program);
  const { hash, url } = await program.event("listening");
  const env = { CONEC_URL: String(url), CONEC_HASH: String(hash) };
  const { pid } = await program.event("supervisor", { type: "started" });
  process.kill(pid as number, "SIGKILL");
  await program.event("supervisor", { type: "ended", signal: "SIGKILL" });
  await program.printed(/"listening"[^]*"listening"/);
  expect((await conec.run(["status"], { env })).code).toBe(0);
  program.kill("SIGTERM");
  const ended = await program.ended;
  expect(ended.code).toBe(0);
  expect(eventsOf(ended)).toContainEqual({ event: "ended" });
});

test("Ctrl-C ends it at once, and whoever waits is told", async () => {
  const program = await coordinator();
  const b = conec.start(["pipe", "--as", "b"]);
  await b.printed(/Waiting for somebody/);
  program.kill("SIGINT");
  expect((await program.ended).code).toBe(130);
  expect((await b.ended).stderr).toMatch(/conec: The Coordinator is shutting down\n$/);
});

test.each([
  [["--port", "x"], "--port must be a number from 0 to 65535"],
  [["--cert", "x"], "--cert and --cert-key belong together"],
  [["--cert", "nowhere", "--cert-key", "nowhere"], "Cannot read nowhere (--cert): there is no such file"],
  [["--rules", "nowhere"], "Cannot read nowhere (--rules): there is no such file"],
  [["--drain", "-1"], "--drain needs a value"],
  [["extra"], "conec coordinator takes no operands"],
])("conec coordinator %j is a wrong command line", async (args, message) => {
  const ended = await conec.run(["coordinator", ...args]);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr.startsWith(`conec: ${message}`)).toBe(true);
  expect(ended.stderr.split("\n")).toHaveLength(2);
});

test("a port that is taken", async () => {
  await coordinator();
  const { port } = new URL(conec.env["CONEC_URL"]!);
  const ended = await conec.run(["coordinator", "--port", port, "--host", "127.0.0.1"]);
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/^conec: .*another port: --port NUMBER\n$/);
});

test("a Client that breaks the protocol of the desk loses its own connection, and nobody else notices", async () => {
  const { Client } = await import("../../src/index.ts");
  const { quic } = await import("../../src/transports/quic/index.ts");
  const program = await coordinator();
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Buffer.from(conec.env["CONEC_HASH"]!, "hex") }];
  const bob = conec.start(["receive", "--as", "bob", "--json"], { input: "" });
  await bob.event("listening");
  const bad: (string | Uint8Array)[] = [
    "no JSON",
    new Uint8Array([0xff, 0xfe]),
    "[]",
    "{}",
    '{"type":"nonsense","request":1}',
    '{"type":"call","request":-1,"to":"bob","service":"x"}',
    '{"type":"call","request":1.5,"to":"bob","service":"x"}',
    '{"type":"call","request":1,"to":"bob","service":"A B"}',
    `{"type":"call","request":1,"to":"${"x".repeat(257)}","service":"x"}`,
    '{"type":"listen","request":1,"service":"x"}',
    JSON.stringify({ type: "ping", request: 1, more: "x".repeat(5000) }),
  ];
  for (const [index, message] of bad.entries()) {
    const id = `bad-${index}`;
    const client = await Client.connect(conec.env["CONEC_URL"]!, { transport: quic({ serverCertificateHashes }), id });
    const writer = (await client.coordinator.createUnidirectionalStream({ name: "conec-desk/1" })).getWriter();
    writer.closed.catch(() => {});
    await writer.write(typeof message === "string" ? Buffer.from(message) : message);
    expect(await client.closed, String(message)).toMatchObject({
      closeCode: 1,
      reason: expect.stringMatching("sent a message"),
    });
    await client.close();
  }
  expect((await conec.run(["status"])).stdout).toMatch(/^bob .*conec-files\/1/m);
  expect(program.child.exitCode).toBeNull();
});

test("what speaks neither TLS nor WebSocket at the TCP port gets nowhere", async () => {
  await coordinator();
  const { port } = new URL(conec.env["CONEC_URL"]!);
  const plain = connect(Number(port), "127.0.0.1");
  plain.end("GET / HTTP/1.0\r\n\r\n");
  await new Promise((resolve) => plain.on("error", resolve).on("close", resolve).resume());
  const page = connectTls({ port: Number(port), host: "127.0.0.1", rejectUnauthorized: false });
  page.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  let answer = "";
  for await (const chunk of page) answer += String(chunk);
  expect(answer).toMatch(/^HTTP\/1.1 426/);
});
