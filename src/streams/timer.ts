// SPDX-License-Identifier: Apache-2.0
/**
 * Runs `callback` after `ms` milliseconds unless the returned function is called first. The timer alone does not keep
 * a process alive.
 */
export function unrefTimeout(ms: number, callback: () => void): () => void {
  const timer: unknown = setTimeout(callback, ms);
  if (typeof timer === "object" && timer !== null && "unref" in timer) (timer as { unref(): void }).unref();
  return () => clearTimeout(timer as ReturnType<typeof setTimeout>);
}
