// SPDX-License-Identifier: Apache-2.0
import type { WebTransportLike } from "../webtransport/web-transport-like.ts";

/** What conec uses of the `Http2Server` and the `Http3Server` of `@fails-components/webtransport`. */
export interface WebTransportServerLike {
  /** The options that it was made with; it looks at them when it starts. */
  args: object;
  readonly ready: Promise<unknown>;
  readonly closed: Promise<unknown>;
  startServer(): void;
  stopServer(): void;
  /** Null before it listens. */
  address(): { host: string; port: number } | null;
  setRequestCallback(callback: RequestCallback): void;
  sessionStream(path: string, options?: { noAutoPaths?: boolean }): SessionStreamLike;
}

/** A ReadableStream of sessions; not that type, since the platform's and Node's are not the same to TypeScript. */
export interface SessionStreamLike {
  getReader(): { read(): Promise<{ done: boolean; value?: unknown }> };
}

/** Decides what is answered to a request for a session. */
export type RequestCallback = (request: SessionRequest) => Promise<RequestAnswer>;

/** A request for a session. */
export interface SessionRequest {
  header: RequestHeader;
}

/** Header fields, those with a colon as well. */
export type RequestHeader = Readonly<Record<string, unknown>>;

/** What is answered to it. */
export interface RequestAnswer {
  status: number;
  /** Which session stream the session goes to. */
  path: string;
  /** Comes with the session. */
  userData?: object;
}

/** A session as a server gives it. */
export interface WebTransportServerSessionLike extends WebTransportLike {
  /** `address:port` */
  readonly peerAddress?: string | undefined;
  readonly userData?: unknown;
}
