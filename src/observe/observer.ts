// SPDX-License-Identifier: Apache-2.0
import type { Coordinator, Listener } from "../index.ts";
import { Aggregate } from "./aggregate.ts";
import { eventMetrics, measurementsOf } from "./event-metrics.ts";
import { LiveViews } from "./live-view.ts";
import type { LiveView } from "./live-view.ts";
import { ObserverServer } from "./observer-server.ts";
import type { ObserverListenOptions } from "./observer-server.ts";
import { processText } from "./process-metrics.ts";
import { prometheusText } from "./prometheus-text.ts";
import { readState } from "./read-state.ts";
import { clientMetrics, stateMetrics } from "./state-metrics.ts";

/** What `observe` takes. */
export interface ObserveOptions {
  /** What the Coordinator serves, for metrics of handshakes and connections. */
  listeners?: readonly Listener[];
  /**
   * Also metrics with a series for each Client that is here, by its id. Ids are the Clients' choice: each new one is a series
   * that Prometheus keeps. Default false.
   */
  perClient?: boolean;
}

/**
 * Watches a Coordinator. What is counted as it happens (joining, channels) is counted from now on; all other figures are the
 * Coordinator's own. Nothing is done while nobody asks.
 *
 * @example
 * ```ts
 * const listener = await listen({ port: 4433, cert, key });
 * coordinator.serve(listener);
 * const observer = observe(coordinator, { listeners: [listener] });
 * const server = await observer.listen({ port: 9464 });
 * console.log(`http://localhost:${server.address.port}`); // the live page; /metrics is for Prometheus
 * ```
 */
export function observe(coordinator: Coordinator, options: ObserveOptions = {}): Observer {
  return new Observer(coordinator, options);
}

/**
 * A Coordinator that is watched; made by `observe`.
 *
 * @example
 * ```ts
 * const text = await observer.prometheus();
 * await observer.close();
 * ```
 */
export class Observer implements AsyncDisposable {
  readonly #coordinator: Coordinator;
  readonly #options: ObserveOptions;
  readonly #counted = new Aggregate(eventMetrics);
  readonly #unsubscribe: () => void;
  readonly #views = new LiveViews();
  readonly #servers = new Set<ObserverServer>();
  /** The last view, for all who ask within a second. */
  #view: { readonly takenMs: number; readonly view: Promise<LiveView> } | undefined;

  /** @internal Made by `observe`. */
  constructor(coordinator: Coordinator, options: ObserveOptions) {
    this.#coordinator = coordinator;
    this.#options = options;
    this.#unsubscribe = coordinator.subscribe((event) => {
      for (const measurement of measurementsOf(event)) this.#counted.add(measurement);
    });
  }

  /** All metrics, those of this process among them, in the text format of Prometheus (0.0.4). */
  async prometheus(): Promise<string> {
    const state = await readState(this.#coordinator, this.#options);
    const metrics = this.#options.perClient === true ? [...stateMetrics, ...clientMetrics] : stateMetrics;
    return [
      ...metrics.map((metric) => prometheusText(metric, metric.read(state))),
      ...eventMetrics.map((metric) => prometheusText(metric, this.#counted.of(metric))),
      processText(),
    ].join("");
  }

  /**
   * Clients, channels and rates of now. The rates are those since the view before; all who ask within a second get the same
   * view.
   */
  async live(): Promise<LiveView> {
    const nowMs = performance.now();
    if (this.#view === undefined || nowMs - this.#view.takenMs >= viewEveryMs) {
      this.#view = { takenMs: nowMs, view: this.#takeView() };
    }
    return await this.#view.view;
  }

  /**
   * Serves the live page at `/`, its data at `/live.json`, the metrics at `/metrics`, and `ok` at `/health`, by HTTP. Whoever
   * reaches the port sees the ids and addresses of all Clients: so it is bound to this machine unless told otherwise.
   *
   * @throws ConecError `address-in-use`, `invalid-argument`
   */
  async listen(options: ObserverListenOptions = {}): Promise<ObserverServer> {
    const server = await ObserverServer.start(this, options);
    this.#servers.add(server);
    void server.closed.then(() => this.#servers.delete(server));
    return server;
  }

  /** Stops counting, and all servers. The Coordinator goes on. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([...this.#servers].map((server) => server.close()));
  }

  /** As `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #takeView(): Promise<LiveView> {
    const [stats, details] = await Promise.all([this.#coordinator.getStats(), this.#coordinator.getDetails()]);
    return this.#views.next(stats, details, performance.timeOrigin + performance.now());
  }
}

const viewEveryMs = 950;
