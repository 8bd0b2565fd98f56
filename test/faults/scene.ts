import { expect, vi } from "vitest";

import { createAuthority } from "../support/certificates.ts";
import type { ServerCertificate } from "../support/certificates.ts";
import type { Conditions } from "../support/network/path-model.js";
import { UdpPath } from "../support/network/udp-path.js";
import type { JoinOptions } from "./client-party.ts";
import type { CoordinatorParty } from "./coordinator-party.ts";
import type { FlowOptions, FlowState } from "./flow.ts";
import { PartyProcess } from "./party-process.ts";
import type { RemoteClient } from "./party-process.ts";

export interface SceneOptions {
  /** Of the Coordinator and of Clients in Node. Default 15 s, as usual. */
  idleTimeoutMs?: number;
  /** Whether Clients whose connection is lost connect again, and are waited for. Default: they are gone. */
  resume?: boolean;
  /** What the path of alice does, both ways. Default: nothing. */
  alice?: Conditions;
  /** What the path of bob does. */
  bob?: Conditions;
}

/** For how long memory may take to be given back. */
const settleLimitMs = 10_000;

/** What a process has grown by when everything in it has been used once, which is not given back. */
const memorySlackBytes = 8 * 1024 * 1024;

export const authority = createAuthority();

/**
 * A Coordinator and two Clients, alice and bob, each in a process of its own (alice perhaps in a page), each Client with a
 * path to the Coordinator that the test rules over.
 */
export class Scene {
  coordinator: PartyProcess<CoordinatorParty>;
  readonly alice: RemoteClient;
  readonly bob: RemoteClient;
  readonly paths: { readonly alice: UdpPath; readonly bob: UdpPath };
  readonly port: number;
  readonly certificate: ServerCertificate;
  readonly idleTimeoutMs: number;
  readonly resume: boolean;
  #memoryBefore = 0;

  static async open(startAlice: () => Promise<RemoteClient>, seed: number, options: SceneOptions = {}): Promise<Scene> {
    const { idleTimeoutMs = 15_000, resume = false } = options;
    const certificate = authority.issue();
    const [coordinator, alice, bob] = await Promise.all([
      PartyProcess.coordinator(),
      startAlice(),
      PartyProcess.client(),
    ]);
    const port = await coordinator.call("serve", { ...certificate, idleTimeoutMs, resume });
    const path = (conditions: Conditions | undefined, seed: number): Promise<UdpPath> =>
      UdpPath.open({ serverPort: port, seed, ...(conditions && { toServer: conditions, toClient: conditions }) });
    const paths = { alice: await path(options.alice, 2 * seed), bob: await path(options.bob, 2 * seed + 1) };
    return new Scene({ coordinator, alice, bob, paths, port, certificate, idleTimeoutMs, resume });
  }

  private constructor(
    parts: Pick<Scene, "coordinator" | "alice" | "bob" | "paths" | "port" | "certificate" | "idleTimeoutMs" | "resume">,
  ) {
    this.coordinator = parts.coordinator;
    this.alice = parts.alice;
    this.bob = parts.bob;
    this.paths = parts.paths;
    this.port = parts.port;
    this.certificate = parts.certificate;
    this.idleTimeoutMs = parts.idleTimeoutMs;
    this.resume = parts.resume;
  }

  /** How a Client joins: by a path, or straight to a port. */
  joinOptions(id: string, by: UdpPath | number): JoinOptions {
    const port = typeof by === "number" ? by : by.port;
    const { certificate, idleTimeoutMs, resume } = this;
    return { url: `https://127.0.0.1:${port}`, hash: [...certificate.hash], id, idleTimeoutMs, resume };
  }

  /** Alice and bob join, and get a channel with each other. */
  async link({ bobBy = this.paths.bob }: { bobBy?: UdpPath | number } = {}): Promise<void> {
    await Promise.all([
      this.alice.call("join", this.joinOptions("alice", this.paths.alice)),
      this.bob.call("join", this.joinOptions("bob", bobBy)),
    ]);
    await this.coordinator.call("introduce", "alice", "bob");
    await Promise.all([this.alice.call("takeChannel"), this.bob.call("takeChannel")]);
    this.#memoryBefore = await this.coordinator.call("memory");
  }

  /** Begins a stream each way: "to bob" and "to alice". */
  async startFlows(options: FlowOptions): Promise<void> {
    await Promise.all([
      this.alice.call("send", "to bob", options),
      this.bob.call("send", "to alice", options),
      this.alice.call("receive"),
      this.bob.call("receive"),
    ]);
  }

  /** Resolves when so many more messages have arrived, each way. */
  async flowed(messages: number): Promise<void> {
    const arrived = await Promise.all([
      this.bob.call("receivedAfter", "to bob", messages),
      this.alice.call("receivedAfter", "to alice", messages),
    ]);
    for (const { end = { how: "well" } } of arrived) {
      if (end.how !== "well") throw new Error(`A stream has ended: ${JSON.stringify(end)}`);
    }
  }

  /** Ends the streams each way and sees that all of it has arrived, in order. Returns the receivers' figures. */
  async finishFlows(): Promise<FlowState[]> {
    const [sentByAlice, sentByBob] = await Promise.all([
      this.alice.call("stopSending", "to bob"),
      this.bob.call("stopSending", "to alice"),
    ]);
    return await this.#compare(sentByAlice, sentByBob);
  }

  /** Waits until flows of a certain length are over. */
  async flowsEnded(): Promise<FlowState[]> {
    const [sentByAlice, sentByBob] = await Promise.all([
      this.alice.call("sendingEnded", "to bob"),
      this.bob.call("sendingEnded", "to alice"),
    ]);
    return await this.#compare(sentByAlice, sentByBob);
  }

  /** Forgets the gaps so far. */
  async measureAnew(): Promise<void> {
    await Promise.all([this.bob.call("measureAnew", "to bob"), this.alice.call("measureAnew", "to alice")]);
  }

  /** Sees that the Coordinator keeps nothing of what has ended. */
  async settled(clients: readonly string[]): Promise<void> {
    await vi.waitFor(
      async () => {
        expect((await this.coordinator.call("clients")).toSorted()).toEqual(clients.toSorted());
        expect(await this.coordinator.call("stats")).toMatchObject({ links: 0, connections: clients.length });
        const most = 1.1 * this.#memoryBefore + memorySlackBytes;
        expect(await this.coordinator.call("memory")).toBeLessThan(most);
      },
      { timeout: settleLimitMs, interval: 200 },
    );
  }

  /** Another Coordinator in its place: the same port, certificate and key. */
  async restartCoordinator(): Promise<void> {
    this.coordinator = await PartyProcess.coordinator();
    const { port, certificate, idleTimeoutMs, resume } = this;
    await this.coordinator.call("serve", { port, ...certificate, idleTimeoutMs, resume });
  }

  async close(): Promise<void> {
    await Promise.all([this.alice.close(), this.bob.close(), this.coordinator.kill()]);
    await Promise.all([this.paths.alice.close(), this.paths.bob.close()]);
  }

  async #compare(sentByAlice: FlowState, sentByBob: FlowState): Promise<FlowState[]> {
    const received = await Promise.all([
      this.bob.call("receivingEnded", "to bob"),
      this.alice.call("receivingEnded", "to alice"),
    ]);
    for (const [index, sent] of [sentByAlice, sentByBob].entries()) {
      expect(sent.end).toMatchObject({ how: "well" });
      expect(received[index]).toMatchObject({ end: { how: "well" }, messages: sent.messages, bytes: sent.bytes });
    }
    return received;
  }
}
