/** Real networks of the kernel's, where this machine has them. */
import { spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Namespaces, whyNoNamespaces } from "../support/network/namespaces.js";
import type { Namespace } from "../support/network/namespaces.js";
import { Tunnel } from "../support/network/tunnel.js";
import type { TunnelOptions } from "../support/network/tunnel.js";

const missing = whyNoNamespaces();

let namespaces: Namespaces;
let processes: ChildProcess[];

/** A program in a namespace; it says things by `process.send`. */
function start(namespace: Namespace, program: string, ...args: string[]): ChildProcess {
  const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
  const child = namespace.spawn(process.execPath, ["-e", program, ...args], { stdio: [...stdio] });
  processes.push(child);
  return child;
}

async function said<T>(child: ChildProcess): Promise<T> {
  const [value] = (await once(child, "message")) as [T];
  return value;
}

/** Answers UDP datagrams with where they came from. Says when it listens. */
const udpServer = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (datagram, { address, port }) => socket.send(JSON.stringify({ address, port }), port, address));
  socket.bind(4433, () => process.send("listening"));
`;

/** Sends a datagram whenever it is told to, and says what comes back. */
const udpClient = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (datagram) => process.send({ ...JSON.parse(datagram), ms: performance.now() - sentMs }));
  let sentMs = 0;
  process.on("message", () => {
    sentMs = performance.now();
    socket.send("hello", 4433, process.argv[1]);
  });
`;

/** Takes TCP connections to their end and answers with how many bytes came. */
const tcpServer = `
  require("node:net").createServer({ allowHalfOpen: true }, (socket) => {
    let bytes = 0;
    socket.on("data", (chunk) => (bytes += chunk.length)).on("end", () => socket.end(String(bytes)));
  }).listen(4433, () => process.send("listening"));
`;

/** Sends so many bytes and says what is answered, and how long connecting and all of it took. */
const tcpClient = `
  const startMs = performance.now();
  const socket = require("node:net").connect(4433, process.argv[1], () => {
    const connectedMs = performance.now() - startMs;
    socket.end(Buffer.alloc(Number(process.argv[2])));
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk)).on("end", () => {
      process.send({ answer, connectedMs, ms: performance.now() - startMs });
    });
  });
`;

/** How many packets TCP has had to send again there. */
function retransmissions(namespace: Namespace): number {
  const lines = namespace.run("cat", "/proc/net/snmp").split("\n");
  const [names, values] = lines.filter((line) => line.startsWith("Tcp:")).map((line) => line.split(" "));
  return Number(values![names!.indexOf("RetransSegs")]);
}

type Exchange = { answer: string; connectedMs: number; ms: number };

if (missing !== undefined) test("network namespaces", (context) => context.skip(missing));
else {
  beforeEach(() => {
    namespaces = new Namespaces();
    processes = [];
  });

  afterEach(async () => {
    namespaces.remove();
    const living = processes.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    await Promise.all(living.map((child) => once(child, "exit")));
  });

  describe("namespaces", () => {
    test("a loopback as small as a network", () => {
      const namespace = namespaces.add("a", { loopbackMtu: 1500 });
      expect(namespace.run("cat", "/sys/class/net/lo/mtu").trim()).toBe("1500");
    });

    test("lose packets, and TCP feels it", async () => {
      const [a, b] = [namespaces.add("a"), namespaces.add("b")];
      const cable = namespaces.connect(a, b);
      b.lose(0.2);
      await said(start(b, tcpServer));
      const { answer } = await said<Exchange>(start(a, tcpClient, cable.b, "100000"));
      expect(answer).toBe("100000");
      expect(retransmissions(a)).toBeGreaterThan(3);
    });

    test("a NAT that gives another address, and forgets the old one", async () => {
      const [inside, outside] = [namespaces.add("inside"), namespaces.add("outside")];
      const nat = namespaces.addNat(inside, outside);
      await said(start(outside, udpServer));
      const client = start(inside, udpClient, nat.serverHost);
      const seenAt = async (): Promise<string> => {
        client.send("go");
        const { address, port } = await said<{ address: string; port: number }>(client);
        return `${address}:${port}`;
      };
      const first = await seenAt();
      expect(await seenAt()).toBe(first);
      const seen = new Set([first]);
      for (let round = 0; round < 3; round += 1) {
        nat.rebind();
        seen.add(await seenAt());
      }
      expect(seen.size).toBe(4);
    });

    test("are gone when the process that made them ends, however it does", () => {
      let looks = 0;
      const ofProcess = (pid: number): string[] =>
        namespaces
          .add(`look${(looks += 1)}`)
          .run("ip", "netns", "list")
          .split("\n")
          .filter((line) => line.startsWith(`conec-${pid}-`));
      const url = new URL("../support/network/namespaces.js", import.meta.url);
      const makeAnd = (end: string): number => {
        const program = `
          const { Namespaces } = await import(${JSON.stringify(url.href)});
          const namespace = new Namespaces().add("left");
          namespace.spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"], { stdio: "ignore" });
          ${end}`;
        const cwd = fileURLToPath(new URL(".", import.meta.url));
        return spawnSync(process.execPath, ["--input-type=module", "-e", program], { cwd, stdio: "ignore" }).pid;
      };
      expect(ofProcess(makeAnd("throw new Error('a test that fails');"))).toEqual([]);
      const killed = makeAnd("process.kill(process.pid, 'SIGKILL');");
      expect(ofProcess(killed)).toHaveLength(1);
      makeAnd("process.exit();");
      expect(ofProcess(killed)).toEqual([]);
    });
  });

  describe("a tunnel", () => {
    async function tunnel(options: TunnelOptions): Promise<{ a: Namespace; b: Namespace; tunnel: Tunnel }> {
      const [a, b] = [namespaces.add("a"), namespaces.add("b")];
      return { a, b, tunnel: await Tunnel.open(namespaces, a, b, options) };
    }

    test("takes its time, for UDP and for TCP from the first packet on", async () => {
      const { a, b, tunnel: path } = await tunnel({ toA: { delayMs: 20 }, toB: { delayMs: 30 } });
      await said(start(b, udpServer));
      const client = start(a, udpClient, path.b);
      client.send("go"); // finds out where b is (ARP)
      await said(client);
      client.send("go");
      expect((await said<{ ms: number }>(client)).ms).toBeGreaterThanOrEqual(50);
      await said(start(b, tcpServer));
      const { answer, connectedMs } = await said<Exchange>(start(a, tcpClient, path.b, "1000000"));
      expect(connectedMs).toBeGreaterThanOrEqual(50);
      expect(answer).toBe("1000000");
      await path.close();
    });

    test("loses what its model says, and TCP waits for it", async () => {
      const { a, b, tunnel: path } = await tunnel({ toA: { delayMs: 5 }, toB: { delayMs: 5, loss: 0.05 } });
      await said(start(b, tcpServer));
      const { answer } = await said<Exchange>(start(a, tcpClient, path.b, "1000000"));
      expect(answer).toBe("1000000");
      expect(retransmissions(a)).toBeGreaterThan(15);
      await path.close();
    });
  });
}
