// SPDX-License-Identifier: Apache-2.0
/**
 * Who wants to talk with whom: the decisions of a Coordinator of the command line. Plain synchronous code: what Clients
 * say goes in, what is to be done comes out. `Desk` carries it out.
 */

/** A Client that is there, by an object of its own: an id may be somebody else's a moment later. */
export interface Caller {
  readonly id: string;
}

/** Two Clients that are to get a channel. */
export interface Match {
  readonly service: string;
  readonly caller: Caller;
  readonly callee: Caller;
  /** The caller's request, and the callee's: a call, or a `listen`. */
  readonly request: number;
  readonly counterpart: number;
}

export type Decision =
  | { do: "introduce"; match: Match }
  | { do: "answer"; to: Caller; type: "listening" | "waiting" | "called"; request: number }
  | { do: "answer"; to: Caller; type: "refused"; request: number; code: string; message: string };

export interface ExchangeOptions {
  /** Whether one Client may call another; asked when it does, and again by {@link Exchange.reviewCalls}. */
  mayCall: (from: Caller, to: string) => boolean;
  /** Calls that one Client may have waiting, and services that it may listen for. */
  maxCalls: number;
  maxListening: number;
}

interface Call {
  readonly kind: "call";
  readonly request: number;
  readonly to: string;
  readonly service: string;
  state: "waiting" | "connecting";
}

interface Listening {
  readonly kind: "listen";
  readonly request: number;
  readonly service: string;
  readonly once: boolean;
  /** Of one that takes a single call: it is being connected. */
  state: "waiting" | "connecting";
}

type Wish = Call | Listening;

export class Exchange {
  readonly #options: ExchangeOptions;
  /** In the order in which they came; so are the wishes of each, by request. */
  readonly #wishes = new Map<Caller, Map<number, Wish>>();
  #closedBecause: string | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  join(caller: Caller): void {
    this.#wishes.set(caller, new Map());
  }

  /** What others want of it goes on waiting. */
  leave(caller: Caller): void {
    this.#wishes.delete(caller);
  }

  /** What a Client takes calls for. */
  listensFor(caller: Caller): string[] {
    return this.#of(caller)
      .filter((wish) => wish.kind === "listen")
      .map(({ service }) => service);
  }

  /** From now on no channels are made. */
  close(reason: string): Decision[] {
    this.#closedBecause = reason;
    const refused: Decision[] = [];
    for (const [caller, wishes] of this.#wishes) {
      for (const wish of wishes.values()) {
        if (wish.kind !== "call" || wish.state !== "waiting") continue;
        wishes.delete(wish.request);
        refused.push(refusal(caller, wish.request, "closed", reason));
      }
    }
    return refused;
  }

  listen(callee: Caller, request: number, service: string, once: boolean): Decision[] {
    const wishes = this.#wishes.get(callee);
    if (wishes === undefined) return [];
    const listening = this.#of(callee).filter((wish) => wish.kind === "listen");
    if (wishes.has(request)) return [refusal(callee, request, "protocol-error", "That request number is in use")];
    if (listening.some((wish) => wish.service === service))
      return [refusal(callee, request, "refused", `This Client listens for ${service} already`)];
    if (listening.length >= this.#options.maxListening)
      return [refusal(callee, request, "limit-exceeded", "This Client listens for too much")];
    wishes.set(request, { kind: "listen", request, service, once, state: "waiting" });
    return [{ do: "answer", to: callee, type: "listening", request }, ...this.#callsTo(callee, service)];
  }

  call(caller: Caller, request: number, to: string, service: string): Decision[] {
    const wishes = this.#wishes.get(caller);
    if (wishes === undefined) return [];
    if (this.#closedBecause !== undefined) return [refusal(caller, request, "closed", this.#closedBecause)];
    if (wishes.has(request)) return [refusal(caller, request, "protocol-error", "That request number is in use")];
    if (to === caller.id) return [refusal(caller, request, "refused", "A Client cannot call itself")];
    if (!this.#options.mayCall(caller, to)) return [refusal(caller, request, "refused", notAllowed(caller, to))];
    if (this.#of(caller).filter((wish) => wish.kind === "call").length >= this.#options.maxCalls)
      return [refusal(caller, request, "limit-exceeded", "This Client has too many calls waiting")];
    const call: Call = { kind: "call", request, to, service, state: "waiting" };
    wishes.set(request, call);
    const match = this.#connect(caller, call);
    return [match ?? { do: "answer", to: caller, type: "waiting", request }];
  }

  cancel(caller: Caller, request: number): void {
    this.#wishes.get(caller)?.delete(request);
  }

  /** The two have their channel. */
  introduced({ caller, callee, request, counterpart }: Match): Decision[] {
    const answers: Decision[] = [];
    if (this.#wishes.get(caller)?.delete(request)) answers.push({ do: "answer", to: caller, type: "called", request });
    const wish = this.#wishes.get(callee)?.get(counterpart);
    if (wish?.kind === "call" || (wish?.kind === "listen" && wish.once)) this.#wishes.get(callee)!.delete(counterpart);
    if (wish?.kind === "call") answers.push({ do: "answer", to: callee, type: "called", request: counterpart });
    return answers;
  }

  /**
   * They have not. When one of them has gone away (`peer-lost`), the other's call waits on; else the caller is told why.
   */
  notIntroduced({ caller, callee, request, counterpart, service }: Match, code: string, message: string): Decision[] {
    const decisions: Decision[] = [];
    const call = this.#wishes.get(caller)?.get(request);
    const wish = this.#wishes.get(callee)?.get(counterpart);
    if (wish !== undefined) wish.state = "waiting";
    if (call?.kind === "call") {
      call.state = "waiting";
      if (code !== "peer-lost") {
        this.#wishes.get(caller)!.delete(request);
        decisions.push(refusal(caller, request, code, message));
      } else if (!this.#wishes.has(callee)) {
        // It may be back already, by another connection.
        const match = this.#connect(caller, call);
        if (match !== undefined) decisions.push(match);
      }
    }
    if (wish?.kind === "call" && code !== "peer-lost") {
      this.#wishes.get(callee)!.delete(counterpart);
      decisions.push(refusal(callee, counterpart, code, message));
    }
    // Others may have waited behind this one.
    if (wish?.kind === "listen" && wish.once && (call === undefined || code !== "peer-lost"))
      decisions.push(...this.#callsTo(callee, service));
    return decisions;
  }

  /** Refuses the calls that are not allowed any more. */
  reviewCalls(): Decision[] {
    const refused: Decision[] = [];
    for (const [caller, wishes] of this.#wishes) {
      for (const wish of wishes.values()) {
        if (wish.kind !== "call" || this.#options.mayCall(caller, wish.to)) continue;
        wishes.delete(wish.request);
        refused.push(refusal(caller, wish.request, "refused", notAllowed(caller, wish.to)));
      }
    }
    return refused;
  }

  #of(caller: Caller): Wish[] {
    return [...(this.#wishes.get(caller)?.values() ?? [])];
  }

  /** Connects those who wait for this Client, which has begun to listen. */
  #callsTo(callee: Caller, service: string): Decision[] {
    const matches: Decision[] = [];
    for (const [caller, wishes] of this.#wishes) {
      for (const wish of wishes.values()) {
        if (wish.kind !== "call" || wish.state !== "waiting" || wish.to !== callee.id || wish.service !== service)
          continue;
        const match = caller === callee ? undefined : this.#connect(caller, wish);
        if (match !== undefined) matches.push(match);
      }
    }
    return matches;
  }

  /** A match for a call, if whom it is for is there and wants it. */
  #connect(caller: Caller, call: Call): Decision | undefined {
    if (this.#closedBecause !== undefined) return undefined;
    for (const [callee, wishes] of this.#wishes) {
      if (callee.id !== call.to) continue;
      for (const wish of wishes.values()) {
        const wants = wish.service === call.service && (wish.kind === "listen" || wish.to === caller.id);
        if (!wants || wish.state !== "waiting") continue;
        call.state = "connecting";
        if (wish.kind === "call" || wish.once) wish.state = "connecting";
        const { service, request } = call;
        return { do: "introduce", match: { service, caller, callee, request, counterpart: wish.request } };
      }
    }
    return undefined;
  }
}

function refusal(to: Caller, request: number, code: string, message: string): Decision {
  return { do: "answer", to, type: "refused", request, code, message };
}

/** The same whether the other one is there or not: who may not call it learns nothing of it. */
function notAllowed(from: Caller, to: string): string {
  return `${JSON.stringify(from.id)} may not reach ${JSON.stringify(to)}; the Coordinator's rules say who may`;
}
