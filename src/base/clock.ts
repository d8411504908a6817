/**
 * The two clocks of a node.
 *
 * `now` is the time that all nodes share, in ms since 1970: this machine's clock corrected by the offset that the
 * cluster measures against Redis at each lease renewal. Use it for whatever is stored: expiries, timestamps.
 * `monotonic` never jumps; it measures this node's own durations (deadlines, the fence) and means nothing elsewhere.
 */
export interface Clock {
  now(): number;
  monotonic(): number;
}

/** This process's own time in ms, for durations where no clock is at hand. */
export function monotonicMs(): number {
  return performance.now();
}

export class SystemClock implements Clock {
  #offsetMs = 0;

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  monotonic(): number {
    return monotonicMs();
  }

  /** Takes over the shared time as read at this moment from Redis, in ms since 1970. */
  follow(sharedNowMs: number): void {
    this.#offsetMs = sharedNowMs - Date.now();
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }
}
