/**
 * From now on the clock of this process, or page, says another time. The monotonic one goes on, as it does when somebody sets a
 * machine's clock. What is native reads the real one still: of that, only the dates of certificates.
 */
export function shiftClock(ms: number): void {
  const Original = Date;
  class Shifted extends Original {
    constructor(value: number | string | Date = Original.now() + ms) {
      super(value);
    }
    static override now(): number {
      return Original.now() + ms;
    }
  }
  globalThis.Date = Shifted as DateConstructor;
}
