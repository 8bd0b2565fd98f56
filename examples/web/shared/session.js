/**
 * One who is here to send and receive files: a tab or a folder. Talks to the lobby (../lobby.js) and has a Transfer for
 * every file that is offered. The same code runs in a page and in Node: what differs is given to it.
 */
import { Client } from "conec";
import { decode, encode } from "./messages.js";
import { printable } from "./names.js";
import { Transfer } from "./transfer.js";

/** @import { Metadata, Transport } from "conec" */
/** @import { Notice, Person, Request } from "./messages.js" */
/** @import { CreateHash, Source } from "./transfer.js" */

/**
 * @typedef {object} JoinOptions
 * @property {string} url of the Coordinator
 * @property {Transport} transport
 * @property {string} name
 * @property {Person["kind"]} kind
 * @property {CreateHash} createHash
 * @property {AbortSignal} [signal]
 */

/** Fires `people` when the list has changed, and `transfer` (a {@link TransferEvent}) for each new Transfer. */
export class Session extends EventTarget {
  /** Everyone who is here. @type {Person[]} */
  people = [];
  /** Says why this is over: resolves when it was left, rejects when the Coordinator is lost. */
  closed;
  #client;
  #createHash;
  #lobby;
  /** Those that have not ended, by offer. */
  #transfers;

  /** @param {JoinOptions} options */
  static async join({ url, transport, name, kind, createHash, signal }) {
    /** @type {Map<string, Transfer>} */
    const transfers = new Map();
    const client = await Client.connect(url, {
      transport,
      credentials: { name, kind },
      // Only for what was offered or taken here.
      accept: ({ metadata }) => transfers.has(offerOf(metadata)),
      ...(signal && { signal }),
    });
    const lobby = await client.coordinator.createUnidirectionalStream({ name: "lobby" });
    return new Session(client, lobby.getWriter(), createHash, transfers);
  }

  /**
   * @param {Client} client
   * @param {WritableStreamDefaultWriter<Uint8Array>} lobby
   * @param {CreateHash} createHash
   * @param {Map<string, Transfer>} transfers
   */
  constructor(client, lobby, createHash, transfers) {
    super();
    this.#client = client;
    this.#createHash = createHash;
    this.#lobby = lobby;
    this.#transfers = transfers;
    lobby.closed.catch(() => {}); // `closed` tells
    this.closed = client.closed;
    this.closed.catch(() => {}).finally(() => this.#abandon());
    this.#listen().catch(() => client.close());
    void this.#takeChannels();
  }

  get id() {
    return this.#client.id;
  }

  /** This one in the list, once the lobby has told. */
  get me() {
    return this.people.find(({ id }) => id === this.id);
  }

  /** Everyone else. */
  get others() {
    return this.people.filter(({ id }) => id !== this.id);
  }

  /** @param {string} name */
  rename(name) {
    this.#say({ type: "name", name });
  }

  /**
   * Asks somebody to take a file.
   *
   * @param {Person} to
   * @param {Source} source
   */
  offer(to, source) {
    const offer = crypto.randomUUID();
    const transfer = this.#add(offer, "out", to, source.name, source.size);
    transfer.source = source;
    this.#say({ type: "offer", offer, to: to.id, name: printable(source.name), size: source.size });
    return transfer;
  }

  /** Leaves. */
  async close() {
    await this.#client.close();
  }

  /**
   * @param {string} offer
   * @param {"in" | "out"} direction
   * @param {Person} peer
   * @param {string} name
   * @param {number} size
   */
  #add(offer, direction, peer, name, size) {
    const transfer = new Transfer({ direction, peer, name, size, createHash: this.#createHash });
    transfer.onAnswer = (accept) =>
      direction === "in" ? this.#say({ type: "answer", offer, accept }) : this.#say({ type: "withdraw", offer });
    this.#transfers.set(offer, transfer);
    void transfer.ended.then(() => this.#transfers.delete(offer));
    this.dispatchEvent(new TransferEvent(transfer));
    return transfer;
  }

  async #listen() {
    for await (const readable of this.#client.coordinator.incomingUnidirectionalStreams) {
      for await (const message of readable) this.#hear(/** @type {Notice} */ (decode(message)));
    }
  }

  /** @param {Notice} notice the lobby is believed */
  #hear(notice) {
    switch (notice.type) {
      case "people":
        this.people = notice.people;
        return this.dispatchEvent(new Event("people"));
      case "offer": {
        const from = this.people.find(({ id }) => id === notice.from);
        return from && this.#add(notice.offer, "in", from, notice.name, notice.size);
      }
      case "over":
        return this.#transfers.get(notice.offer)?.over(notice.why);
    }
  }

  async #takeChannels() {
    try {
      for await (const channel of this.#client.incomingChannels) {
        const transfer = this.#transfers.get(offerOf(channel.metadata));
        if (transfer === undefined) void channel.close({ reason: "cancelled" });
        else void transfer.run(channel);
      }
    } catch {
      // `closed` tells.
    }
  }

  #abandon() {
    for (const transfer of this.#transfers.values()) transfer.over("gone", "The Coordinator");
    this.people = [];
  }

  /** @param {Request} request */
  #say(request) {
    this.#lobby.write(encode(request)).catch(() => {}); // `closed` tells
  }
}

/**
 * Which offer a channel is for.
 *
 * @param {Metadata} metadata
 */
function offerOf({ offer }) {
  return typeof offer === "string" ? offer : "";
}

export class TransferEvent extends Event {
  /** @param {Transfer} transfer */
  constructor(transfer) {
    super("transfer");
    this.transfer = transfer;
  }
}
