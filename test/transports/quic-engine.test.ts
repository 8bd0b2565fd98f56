import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";

import { loadBinding } from "../../src/transports/quic/binding.ts";
import type { Engine } from "../../src/transports/quic/binding.ts";
import { createEngineConfig, streamWindowBytes } from "../../src/transports/quic/config.ts";
import { createAuthority } from "../support/certificates.ts";
import { random } from "../support/messages.ts";

const { cert, key } = createAuthority().issue();
const profile = { maxDatagramBytes: 1200, idleTimeoutMs: 30_000, maxStreamWindowBytes: streamWindowBytes.network };
const oneByte = Buffer.of(1);

/** Two engines, set up as conec does, with a path between them that loses what it is told to. */
class EnginePair {
  readonly client: Engine;
  readonly server: Engine;
  loses: (from: "client" | "server") => boolean = () => false;
  readonly #buffer = Buffer.alloc(1200);

  static async connect(): Promise<EnginePair> {
    const binding = await loadBinding();
    const tls = { verifyPeer: false, allowFailure: true, ca: null };
    const clientConfig = createEngineConfig(binding, { ...tls, cert: null, key: null }, profile);
    const serverConfig = createEngineConfig(binding, { ...tls, cert, key }, profile);
    const pair = new EnginePair(
      binding.connect(null, clientConfig),
      binding.accept(randomBytes(16), null, serverConfig),
    );
    pair.exchange();
    expect([pair.client.isEstablished(), pair.server.isEstablished()]).toEqual([true, true]);
    return pair;
  }

  private constructor(client: Engine, server: Engine) {
    this.client = client;
    this.server = server;
  }

  /** Carries packets until nobody has any. */
  exchange(): void {
    while (this.#carry("client") + this.#carry("server") > 0);
  }

  /** The same, and waits for whoever has lost something. */
  async exchangeInTime(): Promise<void> {
    this.exchange();
    await setTimeout(1);
    for (const engine of [this.client, this.server]) if (engine.timeout() === 0) engine.onTimeout();
  }

  #carry(from: "client" | "server"): number {
    const to = from === "client" ? this.server : this.client;
    let count = 0;
    for (let length; (length = this[from].send(this.#buffer)) > 0; count += 1) {
      if (!this.loses(from)) to.receive(Buffer.from(this.#buffer.subarray(0, length)));
    }
    return count;
  }
}

/** Reads what there is of a stream. */
function read(engine: Engine, id: number): { bytes: number; isOver: boolean } {
  const into = Buffer.alloc(65_536);
  let bytes = 0;
  for (;;) {
    const result = engine.streamReceive(id, into);
    if (result === null) return { bytes, isOver: false };
    bytes += result[0];
    if (result[1]) return { bytes, isOver: true };
  }
}

function losing(share: number): () => boolean {
  let count = 0;
  return () => random((count += 1)) < share;
}

/** What goes wrong in the engine when packets are lost, with the settings and the manners that keep it from mattering. */
describe("an engine on a path that loses packets", () => {
  test("opens more streams than were granted at first, although grants are not repeated", async () => {
    const pair = await EnginePair.connect();
    pair.loses = losing(0.02);
    const count = 17_000;
    let opened = 0;
    let done = 0;
    while (done < count) {
      while (opened < count && opened - done < 500 && pair.client.streamSend(2 + 4 * opened, oneByte, true) > 0)
        opened += 1;
      await pair.exchangeInTime();
      for (const id of pair.server.readable()) if (read(pair.server, id).isOver) done += 1;
    }
    expect(done).toBe(count);
  });

  test("ends streams that have a byte to end with, both ways", async () => {
    const pair = await EnginePair.connect();
    pair.loses = losing(0.02);
    const count = 2000;
    let opened = 0;
    const answered = new Set<number>();
    while (answered.size < count) {
      while (opened < count && opened - answered.size < 100 && pair.client.streamSend(4 * opened, oneByte, true) > 0) {
        opened += 1;
      }
      await pair.exchangeInTime();
      for (const id of pair.server.readable())
        if (read(pair.server, id).isOver) pair.server.streamSend(id, oneByte, true);
      pair.exchange();
      for (const id of pair.client.readable()) if (read(pair.client, id).isOver) answered.add(id);
    }
    expect(answered.size).toBe(count);
  });

  test("goes on sending, although grants for the connection are not repeated", async () => {
    const pair = await EnginePair.connect();
    pair.loses = losing(0.02);
    const count = 1_000_000;
    let sent = 0;
    let received = 0;
    while (received < count) {
      sent += pair.client.streamSend(0, Buffer.alloc(Math.min(65_536, count - sent)), false);
      await pair.exchangeInTime();
      for (const id of pair.server.readable()) received += read(pair.server, id).bytes;
    }
    expect(received).toBe(count);
  });
});

describe("an engine whose streams are given up", () => {
  test("still opens others, although it leaks their credit", async () => {
    const pair = await EnginePair.connect();
    for (let count = 0; count < 2000; count += 1) {
      const id = 4 * count;
      expect(pair.client.streamSend(id, Buffer.alloc(100), false)).toBe(100);
      pair.exchange();
      if (count % 2 === 0) pair.client.streamReset(id, 7);
      else pair.server.streamStop(id, 7);
      pair.exchange();
    }
    expect(pair.client.streamSend(4 * 2000, Buffer.alloc(100_000), false)).toBeGreaterThan(10_000);
    pair.exchange();
    expect(read(pair.server, 4 * 2000).bytes).toBeGreaterThan(10_000);
  });
});

/** A number that the engine does not take would end the process. */
describe("arguments of the engine", () => {
  test("that are out of range end the call", async () => {
    const { client } = await EnginePair.connect();
    const wrong = [-1, 0.5, Number.NaN, Infinity, 2 ** 62, Number.MAX_SAFE_INTEGER + 1];
    for (const code of wrong) {
      const refused = expect.objectContaining({ code: "invalid-argument" });
      expect(() => client.streamReset(0, code)).toThrow(refused);
      expect(() => client.streamStop(0, code)).toThrow(refused);
      expect(() => client.close(true, code, new Uint8Array(0))).toThrow(refused);
    }
    expect(() => client.issueSourceId(new Uint8Array(3), 0n)).toThrow();
    expect(client.isEstablished()).toBe(true);
  });
});
