// SPDX-License-Identifier: Apache-2.0
/** `conec/memory`: Coordinator and Clients in one process, for tests and for programs that need no network yet. */
export { listen } from "./listen.ts";
export type { MemoryListenOptions, MemoryListener } from "./listen.ts";
export { memory } from "./memory.ts";
