import { backoffMs } from '../src/base/backoff.ts';
import type { SystemClock } from '../src/base/clock.ts';
import { BrokerError } from '../src/base/errors.ts';
import type { Logger } from '../src/base/log.ts';
import type { Metrics } from '../src/base/metrics.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import { answer, Script } from '../src/redis/script.ts';
import type { Incarnation } from './cluster.ts';

export const leaseRenew = new Script(new URL('./lua/lease_renew.lua', import.meta.url), {
  keys: ['lease'],
  args: ['lease_ms'],
});

export interface LeaseOptions {
  readonly leaseMs: number;
  readonly renewMs: number;
  readonly clock: SystemClock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** How soon a renewal that failed is tried again. */
const retry = { firstMs: 20, mostMs: 500 };

/**
 * The lease of this node's present life, and how certain the node can be of it without asking.
 *
 * none      no life, or the last one ended: nothing is certain, nothing is renewed
 * held      the lease was taken and is renewed, but the node is not ready to rely on it: nothing is certain
 * certain   relied on, and by the monotonic clock less than `leaseMs` (less a margin) passed since the last successful
 *           renewal was SENT: in Redis the lease stands for longer than that
 * doubtful  relied on, but that time has passed: Redis is away, or this process was frozen. Renewals go on, quickly;
 *           the first that succeeds leads back to certain
 *
 * Another node's burial leads from any state to none, and is told once. Time alone leads from certain to doubtful.
 */
export class Lease {
  readonly #link: RedisLink;
  readonly #options: LeaseOptions;
  readonly #onLost: () => void;
  readonly #marginMs: number;
  #incarnation: Incarnation | null = null;
  #isRelied = false;
  #certainUntil = -Infinity;
  #isRenewing = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #waiters: (() => void)[] = [];
  #renewalMs = 0;

  constructor(link: RedisLink, options: LeaseOptions, onLost: () => void) {
    this.#link = link;
    this.#options = options;
    this.#onLost = onLost;
    // What was judged certain may still be on its way to Redis when this time is over.
    this.#marginMs = options.leaseMs / 6;
    options.metrics.gauge('swarmq_lease_renew_ms', 'How long the last renewal of the lease took', () => this.#renewalMs);
  }

  get isCertain(): boolean {
    return this.#isRelied && this.#options.clock.monotonic() < this.#certainUntil;
  }

  /** Resolves once the lease is certain; never, when the node leaves before. Asks Redis at once. */
  whenCertain(): Promise<void> {
    if (this.isCertain) return Promise.resolve();
    if (this.#incarnation !== null) this.#schedule(0);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Whether there is a life, certain or not. */
  get isHeld(): boolean {
    return this.#incarnation !== null;
  }

  get isRelied(): boolean {
    return this.#isRelied;
  }

  /** Takes the lease of a new life, lets the node `join` under it, and begins to renew it. When either fails there is no life. */
  async take(incarnation: Incarnation, join: () => Promise<void>): Promise<void> {
    const sentAt = this.#options.clock.monotonic();
    const { word, rest } = answer(await this.#run(incarnation));
    if (word === 'ok') this.#follow(rest, sentAt);
    else throw new BrokerError('internal', `the new life ${incarnation} is buried already: the count of incarnations went back`);
    await join();
    this.#incarnation = incarnation;
    this.#failures = 0;
    this.#renewed(sentAt);
  }

  /** The life is complete: from now on it can be certain. */
  rely(): void {
    this.#isRelied = true;
    this.#settleWaiters();
  }

  /** Ends the life in Redis: the lease is given up. */
  async release(): Promise<void> {
    const incarnation = this.#incarnation;
    this.end();
    if (incarnation !== null) await this.#link.command('DEL', this.#link.keys.lease(incarnation));
  }

  /** Stops renewing, here only. Whoever waits for certainty waits for the next life. */
  end(): void {
    this.#incarnation = null;
    this.#isRelied = false;
    this.#certainUntil = -Infinity;
    clearTimeout(this.#timer);
  }

  #run(incarnation: Incarnation): ReturnType<typeof leaseRenew.run> {
    // what a failover loses of it is set again: too few replicas are no reason to doubt it
    return leaseRenew.run(this.#link.unconfirmed, { lease: this.#link.keys.lease(incarnation) }, { lease_ms: this.#options.leaseMs });
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#renew();
    }, inMs).unref();
  }

  async #renew(): Promise<void> {
    const incarnation = this.#incarnation;
    if (this.#isRenewing || incarnation === null) return;
    this.#isRenewing = true;
    const { clock, log } = this.#options;
    const sentAt = clock.monotonic();
    let outcome: 'ok' | 'lost' | 'failed';
    try {
      const [reply, listed] = await Promise.all([
        this.#run(incarnation),
        this.#link.command('HEXISTS', this.#link.keys.members(), incarnation),
      ]);
      const { word, rest } = answer(reply);
      // Not listed, and no mark of a burial: it was long ago, or Redis lost its memory. Either way this life is over.
      outcome = word === 'ok' && listed === 1 ? 'ok' : 'lost';
      if (outcome === 'ok') this.#follow(rest, sentAt);
    } catch (error) {
      outcome = 'failed';
      if (this.#failures++ === 0) log.warn({ error: String(error) }, 'the lease could not be renewed: trying again');
    } finally {
      this.#isRenewing = false;
    }
    // The life may have ended, and another one begun, while Redis was asked.
    if (incarnation !== this.#incarnation) {
      if (this.#incarnation !== null) this.#schedule(0);
    } else if (outcome === 'ok') {
      this.#failures = 0;
      this.#renewed(sentAt);
    } else if (outcome === 'failed') {
      this.#schedule(backoffMs(retry, this.#failures));
    } else {
      this.end();
      this.#onLost();
    }
  }

  #renewed(sentAt: number): void {
    const { clock, leaseMs, renewMs } = this.#options;
    this.#certainUntil = sentAt + leaseMs - this.#marginMs;
    const now = clock.monotonic();
    this.#renewalMs = now - sentAt;
    // After a freeze the answer is too old to count: ask again at once.
    this.#schedule(now < this.#certainUntil ? Math.max(0, sentAt + renewMs - now) : 0);
    this.#settleWaiters();
  }

  #settleWaiters(): void {
    if (!this.isCertain) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** Takes over Redis's time; the answer was made about half the round trip ago. */
  #follow(time: readonly unknown[], sentAt: number): void {
    const { clock } = this.#options;
    const [seconds, micros] = time.map(Number);
    clock.follow((seconds ?? 0) * 1000 + (micros ?? 0) / 1000 + (clock.monotonic() - sentAt) / 2);
  }
}

/** Whether a life has its lease, asked of Redis. */
export async function isLeaseAlive(link: RedisLink, incarnation: Incarnation): Promise<boolean> {
  return String(await link.command('GET', link.keys.lease(incarnation))) === 'alive';
}
