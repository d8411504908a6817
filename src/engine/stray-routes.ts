import type { RouteChange } from '../../cluster/cluster.ts';
import type { Engine } from './engine.ts';
import { encodeMember } from './groups.ts';
import { isShared } from './handle-subscribe.ts';
import { sessionRoute } from './routes.ts';
import { decodeOptions } from './subscription.ts';

/** Clients that wait to be looked after; what is more will be noticed again. */
const most = 1_000;
const leasesOfPatience = 10;

/**
 * Routes of sessions that are no more. Whoever ends a session removes its routes; a node that crashes in between leaves them
 * behind, and each message for them costs a push that Redis refuses. The refusal tells: a client whose queue was missing is
 * looked after ten leases later, when everybody who was about to remove or to make something has done it or is dead.
 *
 * What the client's session, as it is stored then, does not subscribe to is removed. A subscription is stored before its route is
 * made; so one that was made in just this moment shows when the session is read again afterwards, and its route is made again.
 */
export class StrayRoutes {
  readonly #engine: Engine;
  /** client id -> the engine's second in which it is looked after */
  readonly #due = new Map<string, number>();
  #isBusy = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A message found no queue for this client. */
  note(clientId: string): void {
    if (this.#due.has(clientId) || this.#due.size >= most) return;
    const { second, config } = this.#engine;
    this.#due.set(clientId, second + Math.ceil((leasesOfPatience * config.cluster.leaseMs) / 1000));
  }

  /** Once a second. */
  tick(): void {
    if (this.#isBusy || this.#due.size === 0) return;
    const ripe = new Set<string>();
    for (const [clientId, second] of this.#due) if (second <= this.#engine.second) ripe.add(clientId);
    if (ripe.size === 0) return;
    this.#isBusy = true;
    this.#lookAfter(ripe)
      .catch((error: unknown) => {
        this.#engine.logLimited('stray-routes', error, 'routes that were left behind could not be removed: trying again');
      })
      .finally(() => {
        this.#isBusy = false;
      });
  }

  async #lookAfter(clients: ReadonlySet<string>): Promise<void> {
    const known = await this.#engine.routes.filtersOf(clients);
    for (const clientId of clients) {
      await this.#remove(clientId, known.get(clientId) ?? []);
      this.#due.delete(clientId);
    }
  }

  async #remove(clientId: string, known: readonly string[]): Promise<void> {
    const { store, log } = this.#engine;
    const { epoch, subscriptions } = await store.sessions.subscriptions(clientId);
    const strays = known.filter((filter) => !subscriptions.some((subscription) => subscription.filter === filter));
    if (strays.length === 0) return;
    // in the name of the session as it was read: a later owner's routes are not touched
    const speaker = epoch === 0 ? Number.MAX_SAFE_INTEGER : epoch;
    await this.#engine.changeRoutes(strays.map((filter) => sessionRoute(filter, clientId, speaker, null)));
    const now = await store.sessions.subscriptions(clientId);
    const missing = now.subscriptions.filter(({ filter }) => strays.includes(filter));
    await this.#engine.changeRoutes(missing.map(({ filter, options }) => again(filter, clientId, now.epoch, options)));
    log.info({ client: clientId, routes: strays.length - missing.length }, 'routes of a session that is no more were removed');
  }
}

function again(filter: string, clientId: string, epoch: number, options: Buffer): RouteChange {
  return sessionRoute(filter, clientId, epoch, isShared(filter) ? encodeMember(decodeOptions(options), '') : options);
}
