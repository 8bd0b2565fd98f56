// SPDX-License-Identifier: Apache-2.0
import type { Coordinator, Listener } from "../index.ts";
import type { ListenerFigures, State } from "./state-metrics.ts";

/** What there is to measure now. */
export async function readState(
  coordinator: Coordinator,
  { listeners = [], perClient = false }: { listeners?: readonly Listener[]; perClient?: boolean },
): Promise<State> {
  const [stats, details, ...figures] = await Promise.all([
    coordinator.getStats(),
    perClient ? coordinator.getDetails() : undefined,
    ...listeners.map((listener) => listener.getStats()),
  ]);
  return {
    stats,
    details,
    listeners: listeners.map(({ transport, address }, index) => ({
      transport,
      address,
      stats: figures[index] as ListenerFigures,
    })),
  };
}
