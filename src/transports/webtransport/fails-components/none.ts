// SPDX-License-Identifier: Apache-2.0
/**
 * What bundlers for browsers take instead of the other files of this folder (package.json, `browser`): in a page the class
 * is the browser's own, and what `@fails-components/webtransport` needs would only be loaded in vain.
 */
import type { FailsComponentsHandshake as Handshake } from "./handshake.ts";
import type { FailsComponentsSession as Session } from "./session.ts";

export const FailsComponentsHandshake = { of: (): Handshake | undefined => undefined };
export const FailsComponentsSession = { of: (): Session | undefined => undefined };
export const failsComponentsOptions = {};
