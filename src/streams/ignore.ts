// SPDX-License-Identifier: Apache-2.0
/** For promises whose failure somebody else deals with. */
export function ignore(..._: unknown[]): void {}
