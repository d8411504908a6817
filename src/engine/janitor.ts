import type { Engine } from './engine.ts';
import { afterEnd } from './leave.ts';
import { fireWill } from './wills.ts';

const role = 'janitor';
const leaseMs = 5000;
const atOnce = 200;
/** Expired retained messages go in small steps, at most 10,000 of them a second. */
const retainedAtOnce = 100;
const retainedPages = 100;

/**
 * What falls due without anyone being there: sessions and retained messages that expire, delayed wills. One node has the role at a time; each
 * reminder is handled by steps that may be repeated, and removed when it is handled, so another janitor can go on.
 */
export class Janitor {
  readonly #engine: Engine;
  #isAtWork = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  tick(): void {
    if (this.#isAtWork || this.#engine.isDraining || this.#engine.isStopped) return;
    this.#isAtWork = true;
    this.#work()
      .catch((error: unknown) => {
        this.#engine.logLimited('janitor', error, 'what is due could not be handled: trying again');
      })
      .finally(() => {
        this.#isAtWork = false;
      });
  }

  async #work(): Promise<void> {
    const { cluster, store } = this.#engine;
    if ((await cluster.roles.hold(role, leaseMs)) === null) return;
    for (const clientId of await store.due.ripe('wills', atOnce)) {
      const pending = await store.sessions.pendingWill(clientId);
      if (pending !== null) await fireWill(this.#engine, null, clientId, pending.epoch, pending.will);
      await store.due.done('wills', clientId);
    }
    for (const clientId of await store.due.ripe('sessions', atOnce)) {
      const ended = await store.sessions.expire(clientId);
      if (ended !== 'kept' && 'dueInMs' in ended) {
        // an earlier reminder came late and took the place of the right one
        await store.due.remind('sessions', clientId, ended.dueInMs);
        continue;
      }
      if (ended !== 'kept') {
        this.#engine.count.expiredSessions.value++;
        await afterEnd(this.#engine, clientId, ended.epoch, ended);
      }
      await store.due.done('sessions', clientId);
    }
    for (let pages = 0, expired = retainedAtOnce; pages < retainedPages && expired === retainedAtOnce; pages++) {
      expired = await store.retained.expire(retainedAtOnce);
      this.#engine.count.expiredRetained.value += expired;
    }
  }
}
