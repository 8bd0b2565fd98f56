import type { Channel, ChannelLimits, Transport } from "../../src/index.ts";
import type { TestReadable, TestWritable } from "./load.ts";

/** A way that a channel can take. */
export interface Path {
  name: string;
  /** Part of the messages of the longest tests that is sent: for a way that takes much longer. Default 1. */
  shareOfLoad?: number;
  /** What a writer may push before it must wait: windows and buffers of every hop. Default 4 MB. */
  maxUnreadBytes?: number;
  /** @param limits for both ends */
  open: (limits?: Partial<ChannelLimits>) => Promise<PathEnds>;
}

/** The two ends of a channel under test. */
interface PathEnds {
  a: TestChannel;
  b: TestChannel;
  /** Ends a's connection without a word to anyone. */
  cut: () => void;
  close: () => Promise<void>;
}

/** What the suites use of a Channel, which may be one in another process. */
export interface TestChannel extends Pick<Channel, "closed" | "close" | typeof Symbol.asyncDispose> {
  createUnidirectionalStream(...args: Parameters<Channel["createUnidirectionalStream"]>): Promise<TestWritable>;
  readonly incomingUnidirectionalStreams: ReadableStream<TestReadable>;
}

/** A transport whose connection can be closed behind the back of the Client that uses it. */
export function cuttable(under: Transport): { transport: Transport; cut: () => void } {
  let cut = (): void => {};
  const connect: Transport["connect"] = async (...args) => {
    const connection = await under.connect(...args);
    cut = () => connection.close({ closeCode: 99, reason: "cut" });
    return connection;
  };
  return { transport: { name: under.name, connect }, cut: () => cut() };
}
