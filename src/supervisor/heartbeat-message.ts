// SPDX-License-Identifier: Apache-2.0
/** What a supervised process says, and how often. */
export const heartbeatMessage = "conec: alive";
export const heartbeatIntervalMs = 250;
