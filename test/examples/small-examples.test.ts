/** The small examples in Node, as their users start them, on an installed conec. */
import { appendFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Agent, request } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Client } from "../../src/index.ts";
import { quic } from "../../src/transports/quic/index.ts";
import { InstalledExample } from "../browser/installed-example.ts";
import { collect, next } from "../support/hub.ts";

let example: InstalledExample;

beforeAll(() => {
  example = new InstalledExample();
}, 60_000);

afterAll(() => example.close());

test("echo: what Alice sends comes back, message by message", async () => {
  const program = example.start("echo/main.js", "one", "two words", "");
  expect(await program.exitCode(), program.output).toBe(0);
  expect(program.output).toBe("words: one\nwords: two words\nwords: \n");
});

test("log tail: what is appended is printed, until Ctrl-C", async () => {
  const log = join(example.folder("log"), "a.log");
  writeFileSync(log, "old\n");
  const program = example.start("log-tail/main.js", log);
  await program.printed(/Following/);
  appendFileSync(log, "first\n");
  await program.printed(/^first$/m);
  appendFileSync(log, "second\nthird\n");
  await program.printed(/^third$/m);
  program.interrupt();
  expect(await program.exitCode(), program.output).toBe(0);
  expect(program.output).toBe(`Following ${log}\nfirst\nsecond\nthird\n`);
});

test("fetch: the body of a web server comes through another Client", async () => {
  const server = createServer((_request, response) => {
    response.writeHead(203, { "content-type": "text/x-test" });
    response.end(new Uint8Array(3_000_000));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const program = example.start("fetch/main.js", `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect(await program.exitCode(), program.output).toBe(0);
    expect(program.output).toBe("{ status: 203, type: 'text/x-test' } 3000000 bytes\n");
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("RPC: calls both ways, and errors", async () => {
  const program = example.start("rpc/main.js");
  expect(await program.exitCode(), program.output).toBe(0);
  expect(program.output).toBe("3\nHello, Alice\nNot today\nThere is no nothing\n");
});

test("web server: who is there, and a request's body as a stream", async () => {
  const program = example.start("http-server/main.js", "0");
  const [, url, hash] = (await program.printed(/(https:\S+) (\S+)/)) as unknown as [string, string, string];
  const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: Buffer.from(hash, "hex") }] });
  const client = await Client.connect(url, { transport, id: "bob" });
  expect(await ask(`${url}/clients`, "GET")).toEqual([200, '["bob"]']);
  expect(await ask(`${url}/send/carol`, "POST", "hi")).toEqual([404, "Nobody of that name\n"]);

  const answer = ask(`${url}/send/bob`, "POST", "hi bob");
  const readable = await next(client.coordinator.incomingUnidirectionalStreams);
  expect(String(Buffer.concat(await collect(readable)))).toBe("hi bob");
  expect(await answer).toEqual([200, "received\n"]);

  program.interrupt();
  expect(await program.exitCode(), program.output).toBe(0);
  await client.close();
});

/** Status and body of the answer. */
function ask(url: string, method: string, body?: string): Promise<[number | undefined, string]> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const asked = request(url, { method, rejectUnauthorized: false, agent }, async (response) => {
      resolve([response.statusCode, String(Buffer.concat(await response.toArray()))]);
    });
    asked.once("error", reject).end(body);
  });
}
