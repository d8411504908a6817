/** This process's time in us, modulo 2^32 (71 minutes): fits the four bytes of a payload. */
export function microsNow(): number {
  return (performance.now() * 1000) >>> 0;
}

/** From `start` to `end`, both by `microsNow`. */
export function microsBetween(start: number, end: number): number {
  return (end - start) >>> 0;
}

/** Measures a stretch of this process: its wall time and its CPU time, in seconds. */
export class Stopwatch {
  readonly #startMs = performance.now();
  readonly #cpu = process.cpuUsage();

  seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  cpuSeconds(): number {
    const { user, system } = process.cpuUsage(this.#cpu);
    return (user + system) / 1e6;
  }
}
