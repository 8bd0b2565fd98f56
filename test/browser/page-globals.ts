import type { Channel, Client, ConecError, MessageReadable } from "../../src/index.ts";
import type { webtransport } from "../../src/transports/webtransport/index.ts";

declare global {
  /** In pages only: see page.js. */
  var conec: {
    Client: typeof Client;
    ConecError: typeof ConecError;
    webtransport: typeof webtransport;
    serveBridge: (url: string) => void;
  };

  /** What one step of a test leaves in its page for the next. */
  var tab: {
    client: Client;
    channel: Channel;
    stalled: ReadableStream<Uint8Array>;
    streams: ReadableStreamDefaultReader<MessageReadable>;
    accepted: number;
    stop: boolean;
    pushing: Promise<void>;
  };
}
