import type { Channel, Client, ConecError, MessageReadable } from "../../src/index.ts";
import type { webtransport } from "../../src/transports/webtransport/index.ts";
import type { receiveAll, sendAll } from "../conformance/load.ts";
import type { carryOut } from "../faults/calls.ts";
import type { ClientParty } from "../faults/client-party.ts";
import type { serveBridge } from "./bridge-page.ts";
import type { soak, SoakResult } from "./soak-page.ts";

declare global {
  /** In pages only: see page.ts. */
  var conec: {
    Client: typeof Client;
    ConecError: typeof ConecError;
    webtransport: typeof webtransport;
    receiveAll: typeof receiveAll;
    sendAll: typeof sendAll;
    serveBridge: typeof serveBridge;
    soak: typeof soak;
    carryOut: typeof carryOut;
    ClientParty: typeof ClientParty;
  };

  /** What one step of a test leaves in its page for the next. */
  var tab: {
    client: Client;
    party: ClientParty;
    channel: Channel;
    stalled: ReadableStream<Uint8Array>;
    streams: ReadableStreamDefaultReader<MessageReadable>;
    states: Client["state"][];
    received: number;
    accepted: number;
    stop: boolean;
    pushing: Promise<void>;
    goOn: (seconds: number) => Promise<SoakResult>;
  };
}
