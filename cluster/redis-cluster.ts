import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '../src/base/backoff.ts';
import type { SystemClock } from '../src/base/clock.ts';
import { BrokerError } from '../src/base/errors.ts';
import type { Logger } from '../src/base/log.ts';
import type { Counter, Metrics } from '../src/base/metrics.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import { Burials } from './burial.ts';
import type { Cluster, ClusterHandlers, Inbox, Incarnation, Member } from './cluster.ts';
import { ControlBus } from './control-bus.ts';
import { RedisHandover } from './handover.ts';
import { InboxReader } from './inbox-reader.ts';
import { InboxSender, inboxCounters } from './inbox.ts';
import { Leader } from './leader.ts';
import { Lease } from './lease.ts';
import { Membership } from './membership.ts';
import { RouteLog } from './route-log.ts';
import { Served } from './served.ts';

export interface JoinOptions {
  /** name of this node, the same over its restarts */
  readonly node: string;
  readonly leaseMs: number;
  readonly renewMs: number;
  /** what the node tells the others of itself: release, addresses */
  readonly facts: Readonly<Record<string, string>>;
  readonly clock: SystemClock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** about how many entries wait in an inbox before the oldest are dropped; what must not be lost is in the queues too */
  readonly inboxEntries?: number;
  /** about how many changes the route log keeps */
  readonly routeLogEntries?: number;
}

/** How a new life is tried again while Redis is away. */
const rebirth = { firstMs: 50, mostMs: 1000 };
/** For how long a node that leaves waits for Redis. */
const farewellMs = 2000;

/** The cluster as it is in Redis. Nothing happens before `start`. */
export function joinCluster(link: RedisLink, options: JoinOptions): Cluster {
  return new RedisCluster(link, options);
}

/**
 * One node's part in the cluster: one life after the other.
 *
 * out     before `start` and after `leave`
 * alive   the lease is held and renewed, the inbox is read, words are heard
 * reborn  the former life was buried: `fenced` was said, a new life is taken, `reborn` is under way. Nothing is certain
 *         until that is done; then the node is alive again
 * retired alive, but without roles and burials: on its way out
 */
class RedisCluster implements Cluster {
  readonly routes: RouteLog;
  readonly inbox: Inbox;
  readonly handover: RedisHandover;
  readonly roles: Leader;
  readonly #link: RedisLink;
  readonly #options: JoinOptions;
  readonly #lease: Lease;
  readonly #membership: Membership;
  readonly #burials: Burials;
  readonly #served: Served;
  readonly #sender: InboxSender;
  readonly #reader: InboxReader;
  readonly #fenced: Counter;
  #bus: ControlBus | null = null;
  #handlers: ClusterHandlers | null = null;
  #incarnation: Incarnation;
  #isBeingReborn = false;
  #hasLeft = false;

  constructor(link: RedisLink, options: JoinOptions) {
    const { node, leaseMs, renewMs, clock, log, metrics, inboxEntries = 100_000, routeLogEntries = 100_000 } = options;
    this.#link = link;
    this.#options = options;
    this.#incarnation = `${node}#0`;
    const self = (): Incarnation => this.#incarnation;
    const counters = inboxCounters(metrics);
    this.#fenced = metrics.counter('swarmq_fenced_total', 'Lives of this node that were buried while it still ran');
    this.#lease = new Lease(link, { leaseMs, renewMs, clock, log, metrics }, () => {
      this.#endLife();
    });
    const lookMs = Math.min(1000, renewMs / 2);
    this.#membership = new Membership(
      link,
      { leaseMs, lookMs, clock, log, metrics },
      () => this.#lease.isCertain,
      (dead) => {
        if (dead !== this.#incarnation) this.#burials.begin(dead);
      },
    );
    this.roles = new Leader(link, self);
    this.#burials = new Burials(link, { leaseMs, log, metrics }, this.roles, this.#membership, () => this.#duties());
    this.#served = new Served(link, self, log);
    this.routes = new RouteLog(link, { maxEntries: routeLogEntries, log, metrics });
    this.inbox = this.#sender = new InboxSender(link.keys, inboxEntries, counters);
    this.#reader = new InboxReader(link, { clock, log, counters }, metrics);
    const tell = (to: Incarnation, word: string, body: unknown): void => {
      this.tell(to, word, body);
    };
    const isHeardBy = (to: Incarnation): Promise<boolean> => this.#bus?.isHeardBy(to) ?? Promise.resolve(true);
    this.handover = new RedisHandover(link, { self, tell, isHeardBy, leaseMs, clock, log });
  }

  get incarnation(): Incarnation {
    return this.#incarnation;
  }

  get isCertain(): boolean {
    return this.#lease.isCertain;
  }

  whenCertain(): Promise<void> {
    return this.#lease.whenCertain();
  }

  members(): readonly Member[] {
    return this.#membership.members;
  }

  serve(clientId: string): Promise<void> {
    return this.#served.add(clientId);
  }

  unserve(clientId: string): void {
    this.#served.remove(clientId);
  }

  async start(handlers: ClusterHandlers): Promise<void> {
    this.#handlers = handlers;
    this.#bus = new ControlBus(this.#link, this.#options.log, (word, body, from) => {
      this.#hear(word, body, from);
    });
    await this.#beginLife();
    await this.#membership.watch();
    this.#lease.rely();
  }

  async retire(): Promise<void> {
    await this.#burials.stop();
    await this.roles.retire();
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    this.#membership.stop();
    this.routes.close();
    this.#reader.end();
    try {
      await this.#link.patiently(async () => {
        await this.retire();
        await this.#farewell();
      }, farewellMs);
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, 'Redis is away: the other nodes will bury this one');
    }
    this.#lease.end();
    this.#served.reset();
    this.#bus?.close();
  }

  tell(to: Incarnation | null, word: string, body: unknown): void {
    this.#bus?.tell(to, word, body);
  }

  /** Takes a lease under a new number and joins. The lease comes before the listing: a member without one is dead. */
  async #beginLife(): Promise<void> {
    const { node, facts, log } = this.#options;
    const number = Number(await this.#link.command('INCR', this.#link.keys.incarnations()));
    const incarnation: Incarnation = `${node}#${number}`;
    this.#incarnation = incarnation;
    this.#sender.begin(incarnation);
    await this.#bus?.listen(incarnation);
    // listed first: whatever comes later is found by a burial
    await this.#lease.take(incarnation, async () => {
      await this.#membership.join(incarnation, facts);
      await this.#reader.create(incarnation);
    });
    this.#reader.begin(incarnation, (frames) => this.#handlers?.receive(frames));
    log.info({ incarnation }, 'joined the cluster');
  }

  /** The others buried this life. Also during a rebirth: then that goes on with yet another life. */
  #endLife(): void {
    this.#options.log.error({ incarnation: this.#incarnation }, 'this life of the node was buried by the others: beginning a new one');
    this.#fenced.value++;
    this.#reader.end();
    this.#served.reset();
    this.#handlers?.fenced();
    if (!this.#isBeingReborn) void this.#rebirth();
  }

  /** Begins a new life, however long that takes. */
  async #rebirth(): Promise<void> {
    this.#isBeingReborn = true;
    for (let attempt = 1; !this.#hasLeft && !this.#lease.isRelied; attempt++) {
      try {
        if (!this.#lease.isHeld) await this.#beginLife();
        await this.#duties().reborn(this.#incarnation);
        if (this.#lease.isHeld) this.#lease.rely();
      } catch (error) {
        this.#options.log.warn({ error: String(error) }, 'a new life could not begin: trying again');
        await pause(backoffMs(rebirth, attempt), undefined, { ref: false });
      }
    }
    this.#isBeingReborn = false;
  }

  async #farewell(): Promise<void> {
    const { log } = this.#options;
    const { keys } = this.#link;
    await this.#served.flush();
    const clients = await this.#served.count();
    if (clients === 0) {
      await this.#membership.leave(this.#incarnation);
      await this.#link.command('DEL', keys.inbox(this.#incarnation), keys.served(this.#incarnation));
    } else {
      log.warn({ clients }, 'leaving with clients that were not released: the other nodes will bury them');
    }
    await this.#lease.release();
    log.info({ incarnation: this.#incarnation }, 'left the cluster');
  }

  #hear(word: string, body: unknown, from: Incarnation): void {
    const handlers = this.#handlers;
    if (handlers === null || this.#hasLeft) return;
    if (!this.handover.hear(word, body, from, (clientId, epoch) => handlers.letGo(clientId, epoch))) handlers.control(word, body);
  }

  #duties(): ClusterHandlers {
    if (this.#handlers === null) throw new BrokerError('internal', 'the cluster was not started');
    return this.#handlers;
  }
}
