/** pipe, status, doctor, key; what is common to all commands. */
import { spawnSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Conec, eventsOf } from "./conec.ts";

let conec: Conec;
beforeAll(async () => {
  conec = new Conec();
  await conec.useCoordinator();
}, 60_000);
afterAll(() => conec.close());

describe("pipe", () => {
  test("both directions at once, each to its own end; who names the other first waits", async () => {
    const a = conec.start(["pipe", "--as", "p1", "--to", "p2"]);
    await a.printed(/Waiting for "p2"/);
    const b = conec.start(["pipe", "--as", "p2", "--to", "p1"]);
    await b.printed(/Connected with "p1"/);
    const toB = Buffer.alloc(5_000_000, "to b ");
    a.child.stdin.end(toB); // the end of one direction is not that of the other
    b.child.stdin.write("first ");
    await a.printed(/first /);
    b.child.stdin.end("second");
    expect((await b.ended).code).toBe(0);
    expect(b.stdoutBytes.equals(toB)).toBe(true);
    expect(await a.ended).toMatchObject({ code: 0, stdout: "first second" });
  });

  test("a reader that stops makes the writer wait", async () => {
    const b = conec.start(["pipe", "--as", "slow"], { input: "" });
    await b.printed(/Waiting for somebody/);
    b.child.stdout.pause();
    const a = conec.start(["pipe", "--as", "fast", "--to", "slow"]);
    await a.printed(/Connected/);
    // What fits into all the buffers on the way is far less than this.
    const chunk = Buffer.alloc(1_000_000);
    let taken = 0;
    for (; taken < 60 && a.child.stdin.writableLength < 3_000_000; taken += 1) {
      await new Promise<void>((resolve) => {
        a.child.stdin.write(chunk, () => resolve());
        setTimeout(resolve, 300).unref();
      });
    }
    expect(taken).toBeLessThan(60);
    b.child.stdout.resume();
    a.child.stdin.end();
    expect((await a.ended).code).toBe(0);
    expect((await b.ended).code).toBe(0);
    expect(b.stdoutBytes.length).toBe(taken * chunk.length);
  });

  test("when one end is killed, the other one says so", async () => {
    const b = conec.start(["pipe", "--as", "b3"]);
    await b.printed(/Waiting for somebody/);
    const a = conec.start(["pipe", "--as", "a3", "--to", "b3"]);
    await a.printed(/Connected/);
    a.kill("SIGINT");
    expect((await a.ended).code).toBe(130);
    expect(await b.ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/conec: The other end of the pipe was ended\n$/),
    });
  });

  test("a reader of the output that goes away ends it quietly, at both ends", async () => {
    const b = conec.spawn("sh", ["-c", `"$0" "$1" pipe --as b4 | head -c 5`, process.execPath, conec.main]);
    await b.printed(/Waiting for somebody/);
    const a = conec.start(["pipe", "--as", "a4", "--to", "b4"]);
    const feed = setInterval(() => a.child.stdin.write("hello "), 20);
    const { stdout, stderr } = await b.ended;
    await a.ended;
    clearInterval(feed);
    expect(stdout).toBe("hello");
    expect(stderr).not.toMatch(/conec:|EPIPE|at /);
  });
});

test("status shows who is there, for what, how fast, and the channels", async () => {
  const receiving = conec.start(["receive", "--as", "inbox", "--into", "status-in", "--json"], { input: "" });
  await receiving.event("listening");
  const b = conec.start(["pipe", "--as", "b5"]);
  await b.printed(/Waiting for somebody/);
  const a = conec.start(["pipe", "--as", "a5", "--to", "b5", "--transport", "websocket"]);
  await a.printed(/Connected/);
  a.child.stdin.write(Buffer.alloc(100_000));
  const ended = await conec.run(["status", "--json"]);
  const [status] = eventsOf(ended);
  const client = (id: string) => (status!["clients"] as Record<string, unknown>[]).find((each) => each["id"] === id);
  expect(client("inbox")).toMatchObject({
    transport: "quic",
    listensFor: ["conec-files/1"],
    bytesReceived: expect.any(Number),
  });
  expect(client("a5")).toMatchObject({ transport: "websocket", listensFor: [] });
  expect(client("b5")!["bytesSent"]).toBeGreaterThan(100_000);
  expect(client("b5")).toMatchObject({
    sentPerSecond: expect.any(Number),
    publicKey: expect.stringMatching(/^ed25519:/),
  });
  expect(status!["channels"]).toContainEqual(
    expect.objectContaining({ between: ["a5", "b5"], service: "conec-pipe/1" }),
  );
  const text = await conec.run(["status"]);
  expect(text.stdout).toMatch(/^a5 +websocket/m);
  expect(text.stdout).toMatch(/^a5 +b5 +conec-pipe\/1/m);
  a.child.stdin.end();
  b.child.stdin.end();
  await Promise.all([a.ended, b.ended]);
});

describe("doctor", () => {
  const checks = (events: object[]) =>
    Object.fromEntries(
      events
        .filter((each) => "check" in each)
        .map((each) => {
          const { check, state, text } = each as { check: string; state: string; text: string };
          return [check, `${state} ${text}`];
        }),
    );

  test("all is well", async () => {
    const ended = await conec.run(["doctor", "--json"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(checks(eventsOf(ended))).toEqual({
      address: "ok 127.0.0.1",
      QUIC: expect.stringMatching(/^ok connects/),
      WebTransport: expect.stringMatching(/^ok a session opens over HTTP\/3/),
      WebSocket: expect.stringMatching(/^ok connects/),
      certificate: expect.stringMatching(/^ok valid until 20/),
      names: expect.stringMatching(/^ok for .*127\.0\.0\.1/),
      hash: `ok ${conec.env["CONEC_HASH"]}`,
      joining: expect.stringMatching(/^ok let in as guest-/),
      clock: expect.stringMatching(/^ok /),
      "round trip": expect.stringMatching(/^ok \d/),
      "path MTU": expect.stringMatching(/^ok datagrams of \d+ bytes/),
    });
  });

  test("nobody is there", async () => {
    const ended = await conec.run(["doctor", "--url", "https://127.0.0.1:1", "--timeout", "2", "--json"]);
    expect(ended.code).toBe(1);
    const found = checks(eventsOf(ended));
    for (const check of ["QUIC", "WebTransport", "WebSocket", "joining"]) expect(found[check]).toMatch(/^bad /);
    expect(ended.stdout).toMatch(/open UDP port 1 on the way/);
    expect(ended.stdout).toMatch(/open TCP port 1 on the way/);
  });

  test("no such host", async () => {
    const ended = await conec.run(["doctor", "--url", "https://no-such-host.invalid"]);
    expect(ended).toMatchObject({ code: 1, stdout: expect.stringMatching(/^BAD {2}address +no address is known/) });
  });

  test("a certificate that is not trusted, and shown all the same", async () => {
    const hash = conec.env["CONEC_HASH"]!;
    const ended = await conec.run(["doctor", "--json"], { env: { CONEC_HASH: "" } });
    expect(ended.code).toBe(1);
    const found = checks(eventsOf(ended));
    expect(found["QUIC"]).toMatch(/^bad .*not issued by a trusted authority/);
    expect(found["hash"]).toBe(`ok ${hash}`);
    expect(ended.stdout).toMatch(/--hash HEX/);
  });

  test("a Coordinator without WebSocket, which is nothing wrong", async () => {
    const before = { ...conec.env };
    const other = await conec.useCoordinator(["--no-websocket", "--state", conec.newFolder("state-udp")]);
    const ended = await conec.run(["doctor", "--json"]);
    Object.assign(conec.env, before);
    other.kill("SIGINT");
    expect(ended.code).toBe(0);
    expect(checks(eventsOf(ended))["WebSocket"]).toBe("skipped the Coordinator does not offer it");
  });
});

test("key makes a key for its owner alone, once", async () => {
  const first = await conec.run(["key", "--key", "new.pem"]);
  expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ed25519:[\w-]{43}\n$/) });
  expect(statSync(join(conec.folder, "new.pem")).mode & 0o777).toBe(0o600);
  expect((await conec.run(["key", "--key", "new.pem"])).stdout).toBe(first.stdout);
  writeFileSync(join(conec.folder, "bad.pem"), "rubbish");
  expect(await conec.run(["key", "--key", "bad.pem"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^conec: Cannot use the key/),
  });
});

describe("what is wrong is said in one line, with an exit code, and no stack trace", () => {
  test.each<[string, string[], number, RegExp, Record<string, string>?]>([
    ["no command", [], 2, /What is to be done/],
    ["an unknown command", ["snd"], 2, /There is no command "snd"; did you mean send\?/],
    ["an unknown option", ["status", "--tokn", "x"], 2, /There is no option --tokn; did you mean --token\?/],
    ["no URL", ["status"], 2, /Where is the Coordinator\?/, { CONEC_URL: "" }],
    ["a URL that is none", ["status", "--url", "conec.example"], 2, /must be of the form https:\/\/HOST:PORT/],
    ["http", ["status", "--url", "http://conec.example"], 2, /must be of the form/],
    ["a hash that is none", ["status", "--hash", "abc"], 2, /64 hexadecimal digits/],
    ["a transport that is none", ["status", "--transport", "tcp"], 2, /--transport takes quic and websocket/],
    ["a time that is none", ["status", "--timeout", "0"], 2, /--timeout must be a number of seconds/],
    ["ca and hash", ["status", "--ca", "x"], 2, /--ca and --hash exclude each other/],
    ["a token file that is not there", ["status", "--token-file", "nowhere"], 2, /Cannot read nowhere/],
    ["a file that is not there", ["send", "nowhere", "--to", "x"], 2, /There is no file nowhere/],
    ["nobody to send to", ["send", "package.json"], 2, /Who is to have it\?/],
    ["nothing to send", ["send", "--to", "x"], 2, /What is to be sent\?/],
    ["no name to receive by", ["receive"], 2, /Give --as NAME/],
    ["two ways at once", ["receive", "--as", "x", "--overwrite", "--rename"], 2, /exclude each other/],
    ["an id that is none", ["status", "--as", "a\u0007b"], 2, /control/],
    ["nobody listens", ["status", "--url", "https://127.0.0.1:1"], 3, /nobody listens.*conec doctor/],
    ["no such host", ["status", "--url", "https://no-such-host.invalid"], 3, /address of no-such-host.invalid/],
    ["an untrusted certificate", ["status"], 3, /--hash HEX/, { CONEC_HASH: "" }],
    ["another certificate", ["status", "--hash", "0".repeat(64)], 3, /none of the given hashes/],
  ])("%s", async (_name, args, code, message, env = {}) => {
    const ended = await conec.run(args, { env });
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).toMatch(/^conec: [^\n]+\n$/);
  });

  test("with --json, it is an event, too", async () => {
    const ended = await conec.run(["status", "--json", "--url", "https://127.0.0.1:1"]);
    expect(eventsOf(ended)).toEqual([{ event: "error", code: "unreachable", message: expect.any(String) }]);
  });
});

test("a Coordinator that is none of the command line", async () => {
  const { Coordinator } = await import("../../src/index.ts");
  const { createSelfSignedCertificate, listen } = await import("../../src/transports/quic/index.ts");
  const { cert, key, hash } = createSelfSignedCertificate();
  const listener = await listen({ host: "127.0.0.1", cert, key });
  const hub = new Coordinator();
  hub.serve(listener);
  const env = {
    CONEC_URL: `https://127.0.0.1:${listener.address.port}`,
    CONEC_HASH: Buffer.from(hash).toString("hex"),
  };
  const ended = await conec.run(["status", "--timeout", "1"], { env });
  expect(ended).toMatchObject({
    code: 1,
    stderr: "conec: This Coordinator is not one of the command line (conec coordinator)\n",
  });
  await hub.close();
});

test("a reader of the events that goes away ends it quietly", async () => {
  const script = `("$0" "$1" status --watch --json; echo "code $?" >&2) | head -n 1`;
  const ended = await conec.spawn("sh", ["-c", script, process.execPath, conec.main], { input: "" }).ended;
  expect(eventsOf(ended)).toHaveLength(1);
  expect(ended.stderr).toBe("code 141\n");
});

test("Ctrl-C while connecting to somebody who does not answer", async () => {
  const { createSocket } = await import("node:dgram");
  const silent = createSocket("udp4");
  const heard = new Promise((resolve) => silent.once("message", resolve));
  const port = await new Promise<number>((resolve) =>
    silent.bind(0, "127.0.0.1", () => resolve(silent.address().port)),
  );
  const program = conec.start(["status", "--url", `https://127.0.0.1:${port}`, "--transport", "quic"], { input: "" });
  await heard;
  program.kill("SIGINT");
  expect(await program.ended).toEqual({ code: 130, stdout: "", stderr: "" });
  await new Promise<void>((resolve) => silent.close(resolve));
});

test("on a terminal: colours, a bar, and a question before anything is written over", async (context) => {
  context.skip(spawnSync("script", ["--version"]).status !== 0, "no script(1) on this machine");
  const into = conec.newFolder("terminal-in");
  writeFileSync(join(into, "a.txt"), "old");
  writeFileSync(join(conec.folder, "a.txt"), "newer");
  const receive = `"${process.execPath}" "${conec.main}" receive --as tty --into "${into}" --once`;
  const terminal = (env = {}) =>
    conec.spawn("script", ["-qec", receive, "/dev/null"], { env: { TERM: "xterm", ...env } });
  const first = terminal();
  await first.printed(/Files for "tty"/);
  const sending = conec.start(["send", "a.txt", "--to", "tty"], { input: "" });
  await first.printed(/a\.txt is there already \(3 B.*5 B are to come/);
  first.child.stdin.write("x\n"); // is asked again
  await first.printed(/are to come[^]*\n\?[^]*\n\?/);
  first.child.stdin.write("r\n");
  expect((await sending.ended).code).toBe(0);
  expect((await first.ended).stdout).toContain("\u001b[32mreceived\u001b[0m a (1).txt");
  expect(readFileSync(join(into, "a.txt"), "utf8")).toBe("old");
  const second = terminal({ NO_COLOR: "1" });
  await second.printed(/Files for "tty"/);
  writeFileSync(join(conec.folder, "b.txt"), "b");
  expect((await conec.run(["send", "b.txt", "--to", "tty"])).code).toBe(0);
  expect((await second.ended).stdout).not.toContain("\u001b[32m");
});
