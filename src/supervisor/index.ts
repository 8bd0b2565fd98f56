// SPDX-License-Identifier: Apache-2.0
/** `conec/supervisor`: keeps a Coordinator's process running. Node only. */
export { supervise } from "./supervise.ts";
export type { SuperviseOptions, Supervisor, SupervisorEvent } from "./supervise.ts";
