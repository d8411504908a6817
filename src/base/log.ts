import { pino, destination, type Logger as PinoLogger } from 'pino';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export type Logger = PinoLogger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** A structured log on standard output: one JSON object a line, with `node` in each. */
export function openLog(level: LogLevel, fields: Record<string, unknown> = {}): Logger {
  return pino({ level, base: fields, timestamp: pino.stdTimeFunctions.isoTime }, destination({ fd: 1, sync: false }));
}

/** A log that says nothing: the default of embedded brokers and of tests. */
export const silentLog: Logger = pino({ level: 'silent' });

/**
 * Lets a recurring line through once per `windowMs` and key, and counts what it held back, so that a million bad
 * packets are one line a minute. Keys come from closed sets (error codes), so the table stays small.
 */
export class LogLimiter {
  readonly #windowMs: number;
  readonly #seen = new Map<string, { until: number; held: number }>();

  constructor(windowMs = 60_000) {
    this.#windowMs = windowMs;
  }

  /** How many lines of this key were held back since the last one, or -1 when this one is to be held back too. */
  pass(key: string, nowMs: number): number {
    const entry = this.#seen.get(key);
    if (entry === undefined) {
      this.#seen.set(key, { until: nowMs + this.#windowMs, held: 0 });
      return 0;
    }
    if (nowMs < entry.until) {
      entry.held++;
      return -1;
    }
    const { held } = entry;
    entry.until = nowMs + this.#windowMs;
    entry.held = 0;
    return held;
  }
}

/** Event-loop lag in ms as the runtime measures it: `p99()` since the last call. */
export function watchEventLoop(): { p99Ms(): number; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution: 20 });
  histogram.enable();
  return {
    p99Ms() {
      const value = histogram.percentile(99) / 1e6;
      histogram.reset();
      return value;
    },
    stop: () => {
      histogram.disable();
    },
  };
}
