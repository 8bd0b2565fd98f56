// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import * as v from "valibot";

import { ConecError } from "../../index.ts";
import type { AuthenticateRequest, Channel, Connection, Coordinator, Identity } from "../../index.ts";
import { credentialsSchema } from "../desk/desk-messages.ts";
import type { ClientStatus } from "../desk/desk-messages.ts";
import { mayReach } from "./rules.ts";
import type { Entry, Rules, Shown } from "./rules.ts";

interface Guest {
  /** Kept, so that the rules can be asked again. */
  readonly shown: Shown;
  readonly transport: string;
  readonly connection: Connection | undefined;
  readonly sinceMs: number;
  entry: Entry;
}

export interface GuestsOptions {
  rules: () => Rules;
  connectionOf: (request: AuthenticateRequest) => Connection | undefined;
  onRefused: (request: AuthenticateRequest) => void;
}

/** Those who have been let in, and by which entry of the rules. */
export class Guests {
  /** Nobody is let in any more, for this reason. */
  closedBecause: string | undefined;
  readonly #options: GuestsOptions;
  /** By id. */
  readonly #guests = new Map<string, Guest>();
  /** Allowed in, but not there yet: the Coordinator may still refuse them. By id and key, oldest first. */
  readonly #expected = new Map<string, Guest>();

  constructor(options: GuestsOptions) {
    this.#options = options;
  }

  /** For the Coordinator's `authenticate`. */
  authenticate(request: AuthenticateRequest): Identity {
    if (this.closedBecause !== undefined) throw new ConecError("refused", this.closedBecause);
    const { requestedId, credentials, publicKey, remote, transport } = request;
    const parsed = v.safeParse(credentialsSchema, credentials ?? {});
    const token = parsed.success ? parsed.output.token : undefined;
    const shown: Shown = { requestedId, token, publicKey, origin: remote.origin };
    const admission = this.#options.rules().admit(shown, newId);
    if (admission === undefined) {
      this.#options.onRefused(request);
      throw new ConecError("refused", notAllowed(requestedId, token !== undefined));
    }
    const { id, entry } = admission;
    this.#forgetOldest();
    const connection = this.#options.connectionOf(request);
    this.#expected.set(guestKey(id, publicKey), { shown, transport, connection, sinceMs: Date.now(), entry });
    return { id };
  }

  /** One of them is there. */
  joined({ peer: { id, publicKey } }: Channel): { transport: string; host: string } {
    const key = guestKey(id, publicKey);
    const guest = this.#expected.get(key);
    this.#expected.delete(key);
    if (guest !== undefined) this.#guests.set(id, guest);
    return { transport: guest?.transport ?? "", host: guest?.connection?.remote.host ?? "" };
  }

  left(id: string): void {
    this.#guests.delete(id);
  }

  mayReach(from: string, to: string): boolean {
    const guest = this.#guests.get(from);
    return guest !== undefined && mayReach(guest.entry, to);
  }

  maySeeAll(id: string): boolean {
    return this.#guests.get(id)?.entry.status === "all";
  }

  async figuresOf(id: string, seesAll: boolean): Promise<Omit<ClientStatus, "id" | "publicKey" | "listensFor">> {
    const { transport = "", sinceMs = 0, connection } = this.#guests.get(id) ?? {};
    const { rttMs, bytesReceived, bytesSent } = (await connection?.getStats()) ?? {};
    return {
      transport,
      sinceMs,
      ...(rttMs !== undefined && { rttMs }),
      ...(bytesReceived !== undefined && { bytesReceived }),
      ...(bytesSent !== undefined && { bytesSent }),
      ...(seesAll && connection !== undefined && { host: connection.remote.host }),
    };
  }

  /** The rules have changed: closes those whom they do not let in any more. */
  review({ clients }: Coordinator): void {
    for (const [id, guest] of this.#guests) {
      const admission = this.#options.rules().admit(guest.shown, newId);
      if (admission !== undefined) guest.entry = admission.entry;
      else
        void clients
          .get(id)
          ?.close({ closeCode: 1, reason: "The Coordinator's rules changed" })
          .catch(() => {});
    }
  }

  #forgetOldest(): void {
    for (const [key, { sinceMs }] of this.#expected) {
      if (Date.now() - sinceMs < expectedForMs) return;
      this.#expected.delete(key);
    }
  }
}

const expectedForMs = 30_000;

/** Two that ask for one id at the same time are told apart by their keys. */
function guestKey(id: string, publicKey: string | undefined): string {
  return `${id}\n${publicKey}`;
}

function newId(beginning: string): string {
  return `${beginning.slice(0, 240)}${randomBytes(4).toString("hex")}`;
}

/** The same words whether the id, the key or the token is not right: who does not know them learns nothing. */
function notAllowed(requestedId: string | undefined, hasToken: boolean): string {
  const as = requestedId === undefined ? "" : ` as ${JSON.stringify(requestedId)}`;
  return `The Coordinator's rules let nobody in${as} with this key ${hasToken ? "and token" : "and no token"}`;
}
