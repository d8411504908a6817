import type { Incarnation } from '../../cluster/cluster.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';

const everyMs = 50;
/** 5,000 a second: a look that finds nothing takes Redis 2 us. */
const atOnce = 250;

/**
 * A node that dies between a commit and the next one takes its nudges with it: what it queued for connected sessions stays
 * in their queues, unseen until the next message comes for them. So when a node is gone, whatever way, every session with a
 * stored queue that is connected here looks into it again: one range read each, at a steady pace.
 *
 * All that the dead node wrote was written before it was missed, so one look after that is enough.
 */
export class SecondLook {
  readonly #engine: Engine;
  #alive = new Set<Incarnation>();
  #left: Iterator<Session> | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Once a second: whether somebody is gone. */
  tick(): void {
    const before = this.#alive;
    this.#alive = new Set(this.#engine.cluster.members().filter(({ isAlive }) => isAlive).map(({ incarnation }) => incarnation));
    for (const life of before) {
      if (this.#alive.has(life)) continue;
      this.#begin();
      return;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#left = null;
  }

  /** From the first session again, should a look be under way for another node. */
  #begin(): void {
    if (this.#left === null) {
      this.#timer = setInterval(() => {
        this.#goOn();
      }, everyMs);
    }
    this.#left = this.#engine.sessions.values();
  }

  #goOn(): void {
    for (let looks = 0; looks < atOnce && this.#left !== null; ) {
      const next = this.#left.next();
      if (next.done === true) {
        this.stop();
        return;
      }
      const session = next.value;
      if (!session.isPersistent || session.connection.state !== 'live') continue;
      session.delivery.look();
      looks++;
    }
  }
}
