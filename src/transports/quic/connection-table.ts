// SPDX-License-Identifier: Apache-2.0
/** An id that a peer has confirmed to use no more. What comes with it is late and for nobody. */
export const retired = "retired";

/** Of each connection so many retired ids are remembered. */
const maxRetired = 16;

/** Which connection a datagram is for, by the id that it is headed by (in latin1). */
export class ConnectionTable<Connection> {
  readonly #byId = new Map<string, Connection | typeof retired>();

  find(id: string): Connection | typeof retired | undefined {
    return this.#byId.get(id);
  }

  /** The ids of one connection, none at first. */
  enter(connection: Connection): ConnectionKeys {
    const retiredIds = new Set<string>();
    const ids = new Set<string>();
    return {
      add: (id) => {
        ids.add(id);
        this.#byId.set(id, connection);
      },
      retire: (id) => {
        if (!ids.delete(id)) return;
        retiredIds.add(id);
        this.#byId.set(id, retired);
        if (retiredIds.size <= maxRetired) return;
        const oldest = retiredIds.values().next().value as string;
        retiredIds.delete(oldest);
        this.#byId.delete(oldest);
      },
      clear: () => {
        for (const id of [...ids, ...retiredIds]) this.#byId.delete(id);
      },
    };
  }
}

export interface ConnectionKeys {
  add(id: string): void;
  /** The connection no longer answers to this id. */
  retire(id: string): void;
  /** The connection is gone. */
  clear(): void;
}
