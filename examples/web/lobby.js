/**
 * The application at the Coordinator: tells everyone who is here, carries the question "do you want this file?" and its
 * answer, and introduces the two when the answer is yes. It never sees a file: that goes through the channel.
 *
 * With each Client it has two streams named "lobby" on the channel they share, one each way, of JSON messages
 * (shared/messages.js).
 */
import { ConecError } from "conec";
import { decode, encode, requestFrom } from "./shared/messages.js";
import { cleanPersonName } from "./shared/names.js";

/** @import { AuthenticateRequest, Channel, Coordinator, Identity, MessageWritable } from "conec" */
/** @import { Notice, Person, Request } from "./shared/messages.js" */
/** @typedef {{ from: string, to: string }} Offer */

/** Offers that one Client may have waiting for an answer. */
const maxOffers = 50;

export class Lobby {
  #coordinator;
  /** @type {Map<string, { person: Person, outbox: Outbox }>} */
  #members = new Map();
  /** Offers without an answer. @type {Map<string, Offer>} */
  #offers = new Map();

  /**
   * For the Coordinator's `authenticate`: anyone may come, under the name that they give.
   *
   * @param {AuthenticateRequest} request
   * @returns {Identity}
   */
  static authenticate({ credentials }) {
    const { name, kind } = /** @type {Record<string, unknown>} */ (Object(credentials));
    return { metadata: { name: cleanPersonName(name), kind: kind === "folder" ? "folder" : "page" } };
  }

  /** @param {Coordinator} coordinator */
  constructor(coordinator) {
    this.#coordinator = coordinator;
  }

  /** Serves everyone who joins, until the Coordinator is closed. */
  async run() {
    for await (const channel of this.#coordinator.incomingChannels) {
      this.#serve(channel)
        .catch(() => channel.close({ closeCode: 1, reason: "That was no message for the lobby" }))
        .catch(() => {}); // it is gone already
    }
  }

  /** @param {Channel} channel with a Client that has just joined */
  async #serve(channel) {
    const { id } = channel.peer;
    const { name, kind } = /** @type {Pick<Person, "name" | "kind">} */ (channel.peer.metadata); // of authenticate
    const outbox = new Outbox(await channel.createUnidirectionalStream({ name: "lobby" }));
    this.#members.set(id, { person: { id, kind, name: this.#freeName(name) }, outbox });
    this.#tellEveryone();
    channel.closed.catch(() => {}).finally(() => this.#leave(id, outbox));

    for await (const readable of channel.incomingUnidirectionalStreams) {
      for await (const message of readable) this.#receive(id, requestFrom(decode(message)));
    }
  }

  /**
   * @param {string} id of a Client
   * @param {Outbox} outbox
   */
  #leave(id, outbox) {
    if (this.#members.get(id)?.outbox !== outbox) return;
    this.#members.delete(id);
    for (const [offer, { from, to }] of this.#offers) {
      if (from !== id && to !== id) continue;
      this.#offers.delete(offer);
      this.#tell(from === id ? to : from, { type: "over", offer, why: "gone" });
    }
    this.#tellEveryone();
  }

  /**
   * @param {string} id of the Client that says this
   * @param {Request} request
   */
  #receive(id, request) {
    const member = this.#members.get(id);
    if (member === undefined) return;
    switch (request.type) {
      case "name":
        member.person.name = this.#freeName(request.name, id);
        return this.#tellEveryone();
      case "offer":
        return this.#ask(id, request);
      case "withdraw":
        return this.#withdraw(id, request.offer);
      case "answer":
        return void this.#answer(id, request);
    }
  }

  /**
   * @param {string} from
   * @param {Extract<Request, { type: "offer" }>} request
   */
  #ask(from, { offer, to, name, size }) {
    const waiting = [...this.#offers.values()].filter((each) => each.from === from).length;
    if (!this.#members.has(to)) return this.#tell(from, { type: "over", offer, why: "gone" });
    if (to === from || waiting >= maxOffers || this.#offers.has(offer)) {
      return this.#tell(from, { type: "over", offer, why: "refused" });
    }
    this.#offers.set(offer, { from, to });
    this.#tell(to, { type: "offer", offer, from, name, size });
  }

  /**
   * @param {string} from
   * @param {string} offer
   */
  #withdraw(from, offer) {
    const asked = this.#offers.get(offer);
    if (asked?.from !== from) return;
    this.#offers.delete(offer);
    this.#tell(asked.to, { type: "over", offer, why: "withdrawn" });
  }

  /**
   * @param {string} to
   * @param {Extract<Request, { type: "answer" }>} request
   */
  async #answer(to, { offer, accept }) {
    const asked = this.#offers.get(offer);
    if (asked?.to !== to) return;
    this.#offers.delete(offer);
    if (!accept) return this.#tell(asked.from, { type: "over", offer, why: "declined" });
    try {
      await this.#coordinator.introduce(asked.from, to, { metadata: { offer } });
    } catch (error) {
      const why = error instanceof ConecError && error.code === "peer-lost" ? "gone" : "cancelled";
      for (const id of [asked.from, to]) this.#tell(id, { type: "over", offer, why });
    }
  }

  /**
   * @param {string} id
   * @param {Notice} notice
   */
  #tell(id, notice) {
    this.#members.get(id)?.outbox.send(notice);
  }

  #tellEveryone() {
    const people = [...this.#members.values()].map(({ person }) => person);
    for (const { outbox } of this.#members.values()) outbox.sendLatest({ type: "people", people });
  }

  /**
   * A name that nobody else has: "Ann", "Ann 2", …
   *
   * @param {string} name
   * @param {string} [own] id of whoever gets it
   */
  #freeName(name, own) {
    const taken = new Set([...this.#members.values()].filter(({ person }) => person.id !== own).map(nameOf));
    if (!taken.has(name)) return name;
    let number = 2;
    while (taken.has(`${name} ${number}`)) number += 1;
    return `${name} ${number}`;
  }
}

/** @param {{ person: Person }} member */
const nameOf = ({ person }) => person.name;

/** What goes to one Client. A Client that does not read gets the newest list of people only, once it reads again. */
class Outbox {
  #writer;
  /** @type {Notice | undefined} */
  #latest;

  /** @param {MessageWritable} writable */
  constructor(writable) {
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => {}); // the channel's `closed` tells, too
  }

  /** @param {Notice} notice */
  send(notice) {
    this.#writer.write(encode(notice)).catch(() => {});
  }

  /** @param {Notice} notice that makes earlier ones of its kind worthless */
  sendLatest(notice) {
    const waiting = this.#latest !== undefined;
    this.#latest = notice;
    if (waiting) return;
    this.#writer.ready.then(
      () => {
        const latest = this.#latest;
        this.#latest = undefined;
        if (latest !== undefined) this.send(latest);
      },
      () => {},
    );
  }
}
