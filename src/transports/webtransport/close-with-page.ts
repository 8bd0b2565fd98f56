// SPDX-License-Identifier: Apache-2.0
import type { Connection } from "../../core/transport.ts";

/**
 * Closes the connection when its page is left (closed, reloaded, gone elsewhere), so that the other end learns it at
 * once. A browser says goodbye for a page itself, but not always: what Chromium then says waits behind what the page was
 * sending, and is often lost with it. A page that comes back from the back/forward cache finds its connection closed.
 *
 * Does nothing where there are no pages.
 */
export function closeWithPage(connection: Connection): void {
  const page = globalThis as Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">>;
  const onPageHide = (): void => connection.close({ reason: "The page was left" });
  const forget = (): void => page.removeEventListener?.("pagehide", onPageHide);
  page.addEventListener?.("pagehide", onPageHide);
  connection.closed.then(forget, forget);
}
