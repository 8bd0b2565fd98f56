import type { Channel, ChannelLimits, ClientLimits } from "../../src/index.ts";
import { Hub, memoryKind, next, quicKind } from "../support/hub.ts";
import type { TransportKind } from "../support/hub.ts";

/** The two ends of a channel under test. */
export interface PathEnds {
  a: Channel;
  b: Channel;
  /** Ends a's connection without a word to anyone. */
  cut: () => void;
  close: () => Promise<void>;
}

/** A way that a channel can take. */
export interface Path {
  name: string;
  /** @param limits for both ends */
  open: (limits?: Partial<ChannelLimits>) => Promise<PathEnds>;
}

export const paths: Path[] = [memoryKind, quicKind].flatMap((kind) => [direct(kind), relayed(kind)]);

/** Client to Coordinator. */
function direct(kind: TransportKind): Path {
  return {
    name: `${kind.name}, Client to Coordinator`,
    open: async (limits = {}) => {
      const hub = await Hub.start(kind, { limits });
      const cut = cuttable(hub);
      const client = await hub.join("alice", { limits: ends(limits), transport: cut.transport });
      return {
        a: client.coordinator,
        b: await next(hub.coordinator.incomingChannels),
        cut: cut.cut,
        close: () => hub.close(),
      };
    },
  };
}

/** Client to Client, through the Coordinator. */
function relayed(kind: TransportKind): Path {
  return {
    name: `${kind.name}, Client to Client`,
    open: async (limits = {}) => {
      const hub = await Hub.start(kind, { limits });
      const cut = cuttable(hub);
      const alice = await hub.join("alice", { limits: ends(limits), transport: cut.transport });
      const bob = await hub.join("bob", { limits: ends(limits) });
      const [a, b] = await hub.link(alice, bob);
      return { a, b, cut: cut.cut, close: () => hub.close() };
    },
  };
}

/** A transport whose connection can be closed behind the Client's back. */
function cuttable(hub: Hub) {
  let cut = (): void => {};
  const transport = {
    name: hub.transport.name,
    connect: async (...args: Parameters<typeof hub.transport.connect>) => {
      const connection = await hub.transport.connect(...args);
      cut = () => connection.close({ closeCode: 99, reason: "cut" });
      return connection;
    },
  };
  return { transport, cut: () => cut() };
}

/** The part of the limits that Clients have. */
function ends({ streamsPerChannel: _, ...limits }: Partial<ChannelLimits>): Partial<ClientLimits> {
  return limits;
}
