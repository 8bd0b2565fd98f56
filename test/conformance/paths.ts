import type { ChannelLimits, ClientLimits } from "../../src/index.ts";
import { Hub, memoryKind, next, quicKind, websocketKind, webtransportHttp2Kind } from "../support/hub.ts";
import type { TransportKind } from "../support/hub.ts";
import { cuttable } from "./path.ts";
import type { Path, TestChannel } from "./path.ts";

/** Every transport whose two ends can be in this process. */
const kinds: TransportKind[] = [memoryKind, quicKind, webtransportHttp2Kind, websocketKind];
/** Those that take longest for the same. */
const slowKinds: ReadonlySet<TransportKind> = new Set([webtransportHttp2Kind, websocketKind]);

export const paths: Path[] = kinds.flatMap((kind) =>
  [
    direct(`${kind.name}, Client to Coordinator`, kind, joinHere),
    relayed(`${kind.name}, Client to Client`, kind, joinHere, joinHere),
  ].map((path) => ({ ...path, shareOfLoad: slowKinds.has(kind) ? 0.2 : 1 })),
);

/** A Client, in this process or in another. */
export interface Party {
  coordinator: TestChannel;
  incomingChannels: ReadableStream<TestChannel>;
  /** Ends its connection without a word to anyone. */
  cut: () => void;
  close: () => Promise<void>;
}

/** Makes a Client and has it join. */
export type Join = (hub: Hub, id: string, limits: Partial<ClientLimits>) => Promise<Party>;

export async function joinHere(hub: Hub, id: string, limits: Partial<ClientLimits>): Promise<Party> {
  const { transport, cut } = cuttable(hub.transport);
  const client = await hub.join(id, { limits, transport });
  const { coordinator, incomingChannels } = client;
  return { coordinator, incomingChannels, cut, close: () => client.close() };
}

/** Client to Coordinator. */
export function direct(name: string, kind: TransportKind, join: Join): Path {
  return {
    name,
    open: async (limits = {}) => {
      const hub = await Hub.start(kind, { limits });
      const alice = await join(hub, "alice", ofClients(limits));
      const close = async (): Promise<void> => {
        await alice.close();
        await hub.close();
      };
      return { a: alice.coordinator, b: await next(hub.coordinator.incomingChannels), cut: alice.cut, close };
    },
  };
}

/** Client to Client, through the Coordinator. */
export function relayed(name: string, kind: TransportKind, joinAlice: Join, joinBob: Join): Path {
  return {
    name,
    open: async (limits = {}) => {
      const hub = await Hub.start(kind, { limits });
      const alice = await joinAlice(hub, "alice", ofClients(limits));
      const bob = await joinBob(hub, "bob", ofClients(limits));
      await hub.coordinator.introduce("alice", "bob");
      const close = async (): Promise<void> => {
        await Promise.all([alice.close(), bob.close()]);
        await hub.close();
      };
      return { a: await next(alice.incomingChannels), b: await next(bob.incomingChannels), cut: alice.cut, close };
    },
  };
}

/** The part of the limits that Clients have. */
function ofClients({ streamsPerChannel: _, ...limits }: Partial<ChannelLimits>): Partial<ClientLimits> {
  return limits;
}
