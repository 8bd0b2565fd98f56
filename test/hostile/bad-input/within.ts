const tickMs = 20;

/**
 * What a promise resolves with, if it does so within a time. That counts what time this process had, in which everything
 * runs that is waited for: when the machine is busy with others, it stands still.
 *
 * @param otherwise says what was there instead
 */
export async function within<T>(ms: number, pending: Promise<T>, otherwise: () => string): Promise<T> {
  let timer: ReturnType<typeof setInterval> | undefined;
  let ticks = 0;
  const late = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      ticks += 1;
      if (ticks * tickMs >= ms) reject(new Error(`Within ${ms} ms there was ${otherwise()}`));
    }, tickMs);
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearInterval(timer);
  }
}
