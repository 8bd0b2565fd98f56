// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";
import type { Connection, ConnectOptions, Transport } from "../../core/transport.ts";
import { listenerAt } from "./listen.ts";

/**
 * A transport to a listener of `conec/memory` in this process.
 *
 * @example
 * ```ts
 * coordinator.serve(await listen({ host: "hub", port: 1 }));
 * const client = await Client.connect("https://hub:1", { transport: memory() });
 * ```
 */
export function memory(): Transport {
  return {
    name: "memory",
    connect: async (url: string | URL, { signal }: ConnectOptions = {}): Promise<Connection> => {
      signal?.throwIfAborted();
      const { protocol, hostname, port } = parseUrl(url);
      if (protocol !== "https:")
        throw new ConecError("invalid-argument", `The URL must begin with https:, not ${protocol}`);
      const listener = listenerAt(hostname, port === "" ? 443 : Number(port));
      if (listener === undefined)
        throw new ConecError("unreachable", `Nobody listens at ${hostname}:${port} in this process`);
      return listener.connect();
    },
  };
}

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw new ConecError("invalid-argument", `Not a URL: ${String(url).slice(0, 100)}`, { cause });
  }
}
