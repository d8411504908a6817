import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';

export interface AttemptLimits {
  /** failures without a consequence */
  readonly free: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

interface Failures {
  count: number;
  /** nothing is tried before this */
  until: number;
}

/** Of those who failed lately; the one that failed longest ago is forgotten first. */
const maxKnown = 100_000;

/** How long after its last delay a failure counts. */
const memoryMs = 600_000;

/**
 * Who fails to say who it is has to wait, twice as long after each further failure. It goes by user and address together: so
 * guessing is slow, and nobody can keep a user out who is somewhere else.
 */
export class Attempts {
  readonly #limits: AttemptLimits;
  readonly #clock: Clock;
  readonly #known = new Map<string, Failures>();

  constructor(limits: AttemptLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** How many users and addresses are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether this user, from this address, has to wait. */
  mustWait(username: string, address: string | null): boolean {
    const record = this.#known.size === 0 ? undefined : this.#known.get(keyOf(username, address));
    return record !== undefined && this.#clock.monotonic() < record.until;
  }

  failed(username: string, address: string | null): void {
    const { free, firstDelayMs, maxDelayMs } = this.#limits;
    const key = keyOf(username, address);
    const now = this.#clock.monotonic();
    const before = this.#known.get(key);
    const failures = 1 + (before === undefined || now > before.until + memoryMs ? 0 : before.count);
    const over = failures - free;
    const delayMs = over <= 0 ? 0 : Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(30, over - 1));
    this.#known.delete(key);
    this.#known.set(key, { count: failures, until: now + delayMs });
    if (this.#known.size <= maxKnown) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  succeeded(username: string, address: string | null): void {
    if (this.#known.size > 0) this.#known.delete(keyOf(username, address));
  }
}

/** Of one length, however long a name somebody makes up. */
function keyOf(username: string, address: string | null): string {
  return createHash('sha256').update(`${address ?? ''} ${username}`).digest('base64');
}
