import { checkCloseInfo } from "../../src/core/close-info.ts";
import type { BidirectionalStream, CloseInfo, Connection, Remote } from "../../src/index.ts";
import type { TestReadable, TestWritable } from "../conformance/load.ts";
import type { TestChannel } from "../conformance/path.ts";
import type { Party } from "../conformance/paths.ts";
import type { RemoteCall } from "./remote-streams.ts";

export function remoteClient(
  call: RemoteCall,
  { coordinator, incomingChannels }: Pick<Party, "coordinator" | "incomingChannels">,
): Party {
  return {
    coordinator,
    incomingChannels,
    cut: () => void call("cut"),
    close: async () => void (await call("close")),
  };
}

export function remoteChannel(call: RemoteCall, { streams }: { streams: ReadableStream<TestReadable> }): TestChannel {
  return {
    incomingUnidirectionalStreams: streams,
    closed: askClosed(call),
    createUnidirectionalStream: async (options) => (await call("createUnidirectionalStream", options)) as TestWritable,
    close: async (options) => void (await call("close", options)),
    [Symbol.asyncDispose]: async () => void (await call("asyncDispose")),
  };
}

interface ConnectionInfo extends Pick<Connection, "incomingBidirectionalStreams" | "incomingUnidirectionalStreams"> {
  remote: Remote;
}

export function remoteConnection(call: RemoteCall, info: ConnectionInfo): Connection {
  const { remote, incomingBidirectionalStreams, incomingUnidirectionalStreams } = info;
  return {
    transport: "webtransport",
    remote,
    incomingBidirectionalStreams,
    incomingUnidirectionalStreams,
    closed: askClosed(call),
    createBidirectionalStream: async () => (await call("createBidirectionalStream")) as BidirectionalStream,
    createUnidirectionalStream: async () => (await call("createUnidirectionalStream")) as WritableStream<Uint8Array>,
    getStats: async () => (await call("getStats")) as object,
    // What is not valid throws at once, which cannot be asked of the page.
    close: (closeInfo) => void call("close", checkCloseInfo(closeInfo)),
  };
}

/** A promise that nobody has to look at. */
function askClosed(call: RemoteCall): Promise<CloseInfo> {
  const closed = call("closed") as Promise<CloseInfo>;
  closed.catch(() => {});
  return closed;
}
