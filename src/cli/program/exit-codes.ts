// SPDX-License-Identifier: Apache-2.0
/** What the exit code of `conec` means, for scripts. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  absent: 5,
  interrupted: 130,
  outputClosed: 141,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** In the order of the help text. */
export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [exitCodes.ok, "everything went well"],
  [exitCodes.failed, "something failed; the last line on stderr says what"],
  [exitCodes.usage, "the command line, a file it names or the environment is wrong"],
  [exitCodes.unreachable, "the Coordinator cannot be reached, or is not who it should be"],
  [exitCodes.refused, "the Coordinator or the other end said no"],
  [exitCodes.absent, "the other end was not there in time"],
  [exitCodes.interrupted, "Ctrl-C"],
  [exitCodes.outputClosed, "whoever read the output is gone"],
  [exitCodes.terminated, "SIGTERM (a Coordinator that has drained ends with 0)"],
];
