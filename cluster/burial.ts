import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../src/base/log.ts';
import type { Counter, Metrics } from '../src/base/metrics.ts';
import type { Reply } from '../src/redis/batch.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import { answer, Script } from '../src/redis/script.ts';
import type { ClusterHandlers, Incarnation } from './cluster.ts';
import type { Leader } from './leader.ts';
import type { Membership } from './membership.ts';

export const leaseBury = new Script(new URL('./lua/lease_bury.lua', import.meta.url), {
  keys: ['lease'],
  args: ['mark_ms'],
});

export interface BurialOptions {
  readonly leaseMs: number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

type Duties = Pick<ClusterHandlers, 'buryClient' | 'buryRoutes'>;

const markMs = 24 * 60 * 60 * 1000;
const clientsAtOnce = 50;
const stopMs = 2000;

/**
 * Cleaning up after dead nodes, each by one node at a time.
 *
 * Every step may be done twice: whoever finds a burial that was begun and not finished (its burier died, or a client could
 * not be buried) goes on with it. The dead life stays in the list of members until all is done, so that it is found.
 */
export class Burials {
  readonly #link: RedisLink;
  readonly #options: BurialOptions;
  readonly #leader: Leader;
  readonly #membership: Membership;
  readonly #duties: () => Duties;
  readonly #running = new Map<Incarnation, Promise<void>>();
  readonly #buried: Counter;
  #isStopped = false;

  constructor(link: RedisLink, options: BurialOptions, leader: Leader, membership: Membership, duties: () => Duties) {
    this.#link = link;
    this.#options = options;
    this.#leader = leader;
    this.#membership = membership;
    this.#duties = duties;
    this.#buried = options.metrics.counter('swarmq_burials_total', 'Dead nodes that this node cleaned up after');
  }

  /** Buries the dead life, unless that goes on already, here or on another node. */
  begin(dead: Incarnation): void {
    if (this.#isStopped || this.#running.has(dead)) return;
    const burial = this.#bury(dead)
      .catch((error: unknown) => {
        this.#options.log.warn({ dead, error: String(error) }, 'a burial was broken off: it will be taken up again');
      })
      .finally(() => this.#running.delete(dead));
    this.#running.set(dead, burial);
  }

  /** Begins no more, breaks off those under way between two clients, and waits for that a while: others take them up. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.race([Promise.all(this.#running.values()), pause(stopMs, undefined, { ref: false })]);
  }

  async #bury(dead: Incarnation): Promise<void> {
    const { leaseMs } = this.#options;
    const role = `bury:${dead}`;
    const token = await this.#leader.hold(role, leaseMs);
    if (token === null) return;

    let held: number | null = token;
    const keeper = setInterval(() => {
      this.#leader.hold(role, leaseMs).then(
        (kept) => {
          held = kept;
        },
        () => {
          held = null;
        },
      );
    }, leaseMs / 3).unref();
    // A new token means that the role was free in between: somebody else may have begun.
    const goesOn = (): boolean => held === token && !this.#isStopped;

    let isDone = false;
    try {
      isDone = await this.#isDone(dead, goesOn);
    } finally {
      clearInterval(keeper);
      if (isDone) await this.#leader.abolish(role);
      else await this.#leader.resign(role, held ?? token);
    }
  }

  /** Whether nothing is left to do for this life. */
  async #isDone(dead: Incarnation, goesOn: () => boolean): Promise<boolean> {
    const { log } = this.#options;
    const { keys } = this.#link;
    if (!(await this.#membership.isListed(dead))) return true;

    const { word } = answer(await leaseBury.run(this.#link, { lease: keys.lease(dead) }, { mark_ms: markMs }));
    if (word === 'alive') return false;

    log.warn({ dead }, 'a node died: burying it');
    const { clients, failed } = await this.#buryClients(dead, goesOn);
    if (failed > 0) log.warn({ dead, failed }, 'some clients of a dead node could not be buried: trying again');
    if (failed > 0 || !goesOn()) return false;

    await this.#duties().buryRoutes(dead);
    if (!goesOn()) return false;
    await this.#link.command('DEL', keys.inbox(dead), keys.served(dead));
    await this.#membership.leave(dead);
    this.#buried.value++;
    log.info({ dead, clients }, 'buried');
    return true;
  }

  async #buryClients(dead: Incarnation, goesOn: () => boolean): Promise<{ clients: number; failed: number }> {
    const key = this.#link.keys.served(dead);
    let clients = 0;
    let failed = 0;
    let cursor = '0';
    do {
      const reply = await this.#link.command('SSCAN', key, cursor, 'COUNT', 500);
      const [next, found] = reply as [Reply, Reply[]];
      cursor = String(next);
      const queue = found.map(String);
      const walk = async (): Promise<void> => {
        for (let id = queue.pop(); id !== undefined && goesOn(); id = queue.pop()) {
          try {
            await this.#duties().buryClient(dead, id);
            await this.#link.command('SREM', key, id);
            clients++;
          } catch (error) {
            failed++;
            this.#options.log.debug({ dead, clientId: id, error: String(error) }, 'a client could not be buried');
          }
        }
      };
      await Promise.all(Array.from({ length: clientsAtOnce }, walk));
    } while (cursor !== '0' && goesOn());
    return { clients, failed };
  }
}
