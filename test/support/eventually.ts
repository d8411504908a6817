import { setTimeout as wait } from 'node:timers/promises';

type Falsy = false | null | undefined;

export interface Deadline {
  /** How long the condition may take, in ms. */
  readonly withinMs?: number;
  /** What is waited for, as the end of the sentence "still no ...". */
  readonly what: string | (() => string);
}

/**
 * Asks `check` again and again until it gives something other than false, null or undefined, and gives that.
 * A `check` that throws has not come true yet; after the deadline its last error is the cause of the failure.
 */
export async function eventually<Value extends {}>(
  check: () => Value | Falsy | Promise<Value | Falsy>,
  { withinMs = 5_000, what }: Deadline,
): Promise<Exclude<Value, false>> {
  const deadline = performance.now() + withinMs;
  let pauseMs = 2;
  let last: unknown;
  for (;;) {
    try {
      const value = await within(check(), deadline - performance.now());
      if (value !== false && value !== null && value !== undefined) return value as Exclude<Value, false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() + pauseMs > deadline) {
      const reason = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`still no ${typeof what === 'string' ? what : what()} after ${withinMs} ms${reason}`, { cause: last });
    }
    await wait(pauseMs);
    pauseMs = Math.min(pauseMs * 2, 50);
  }
}

/** The promise, or an error when it takes longer than `ms`. */
export async function within<Value>(promise: Value | Promise<Value>, ms: number, what = 'an answer'): Promise<Value> {
  if (!(promise instanceof Promise)) return promise;
  const patience = new AbortController();
  const tooLong = wait(Math.max(ms, 0), undefined, { signal: patience.signal }).then(
    () => {
      throw new Error(`${what} did not come within ${Math.round(ms)} ms`);
    },
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([promise, tooLong]);
  } finally {
    patience.abort();
  }
}
