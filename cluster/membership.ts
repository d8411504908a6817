import type { SystemClock } from '../src/base/clock.ts';
import type { Logger } from '../src/base/log.ts';
import type { Metrics } from '../src/base/metrics.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import type { Incarnation, Member } from './cluster.ts';
import { isLeaseAlive } from './lease.ts';

export interface MembershipOptions {
  readonly leaseMs: number;
  /** from one look at the members to the next; a dead node's lease must be missing at two looks in a row */
  readonly lookMs: number;
  readonly clock: SystemClock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * Who is there. Every node looks at the list of members and at their leases, again and again, and points out who is dead.
 *
 * A node judges others only while its own sight is steady: its looks have succeeded, in time, and its own lease was certain,
 * for a whole lease. After an outage of Redis, a time in which Redis refused to write, a lost connection, or a freeze of this
 * process, every other node thus has the time of a lease to renew before anybody calls it dead.
 */
export class Membership {
  readonly #link: RedisLink;
  readonly #options: MembershipOptions;
  readonly #isCertain: () => boolean;
  readonly #onDead: (dead: Incarnation) => void;
  readonly #missingSince = new Map<Incarnation, number>();
  #members: readonly Member[] = [];
  #steadySince = Infinity;
  #lastLook = 0;
  #isWatching = false;
  #timer: NodeJS.Timeout | undefined;
  #unwatch: () => void = () => undefined;

  /** `isCertain`: whether this node's own lease is. `onDead` is called at each look until it is buried. */
  constructor(
    link: RedisLink,
    options: MembershipOptions,
    isCertain: () => boolean,
    onDead: (dead: Incarnation) => void,
  ) {
    this.#link = link;
    this.#options = options;
    this.#isCertain = isCertain;
    this.#onDead = onDead;
    options.metrics.gauge('swarmq_members', 'Nodes of the cluster that are alive', () => this.#members.filter((m) => m.isAlive).length);
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  async join(incarnation: Incarnation, facts: Readonly<Record<string, string>>): Promise<void> {
    await this.#link.command('HSET', this.#link.keys.members(), incarnation, JSON.stringify(facts));
  }

  async leave(incarnation: Incarnation): Promise<void> {
    await this.#link.command('HDEL', this.#link.keys.members(), incarnation);
  }

  async isListed(incarnation: Incarnation): Promise<boolean> {
    return (await this.#link.command('HEXISTS', this.#link.keys.members(), incarnation)) === 1;
  }

  /** Looks once, and then on and on until `stop`. */
  async watch(): Promise<void> {
    this.#isWatching = true;
    this.#unwatch = this.#link.onAnew(() => {
      this.#unsettle();
    });
    await this.#look();
    this.#again();
  }

  stop(): void {
    this.#isWatching = false;
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  #unsettle(): void {
    this.#steadySince = Infinity;
  }

  #again(): void {
    if (!this.#isWatching) return;
    this.#timer = setTimeout(() => {
      this.#look()
        .catch((error: unknown) => {
          this.#unsettle();
          this.#options.log.debug({ error: String(error) }, 'could not look at the members');
        })
        .finally(() => {
          this.#again();
        });
    }, this.#options.lookMs).unref();
  }

  async #look(): Promise<void> {
    const { clock, lookMs, leaseMs } = this.#options;
    // The client library makes an object of this one reply.
    const listed = (await this.#link.command('HGETALL', this.#link.keys.members())) as unknown as Record<string, Buffer>;
    const looks = Object.entries(listed).map(([incarnation, facts]) => this.#member(incarnation, facts.toString()));
    const members = await Promise.all(looks);

    const now = clock.monotonic();
    if (now - this.#lastLook > 3 * lookMs + 100 || !this.#isCertain()) this.#unsettle();
    this.#lastLook = now;
    this.#steadySince = Math.min(this.#steadySince, now);
    this.#members = members;

    const dead = members.filter((member) => !member.isAlive).map((member) => member.incarnation);
    for (const known of this.#missingSince.keys()) if (!dead.includes(known)) this.#missingSince.delete(known);
    for (const incarnation of dead) {
      const since = this.#missingSince.get(incarnation);
      if (since === undefined) this.#missingSince.set(incarnation, now);
      else if (now - this.#steadySince >= leaseMs && now - since >= lookMs * 0.9) this.#onDead(incarnation);
    }
  }

  async #member(incarnation: Incarnation, facts: string): Promise<Member> {
    const isAlive = await isLeaseAlive(this.#link, incarnation);
    return { incarnation, node: incarnation.slice(0, incarnation.lastIndexOf('#')), facts: readFacts(facts), isAlive };
  }
}

/** What a node told of itself; a value that is no such thing tells nothing. */
function readFacts(text: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return {};
  }
}
