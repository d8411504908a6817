import type { Arg } from '../src/redis/batch.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import { answer, Script } from '../src/redis/script.ts';
import type { RouteChange } from './cluster.ts';

export const routesChange = new Script(new URL('./lua/routes_change.lua', import.meta.url), {
  keys: ['table', 'log'],
  args: ['max_entries', 'changes...'],
});

const changesAtOnce = 500;
const plus = Buffer.from('+');

interface Waiting {
  readonly changes: readonly RouteChange[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes changes of the routes, in the order in which they were given. What is given while a write is on its way goes out
 * together afterwards: a thousand subscriptions in one turn are two round trips.
 */
export class RouteWriter {
  readonly #link: RedisLink;
  readonly #maxEntries: number;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(link: RedisLink, maxEntries: number) {
    this.#link = link;
    this.#maxEntries = maxEntries;
  }

  /** Resolves once all are written. When it rejects it is unknown which of them were; writing them again is safe. */
  write(changes: readonly RouteChange[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
      if (!this.#isWriting) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      const all = round.flatMap(({ changes }) => changes);
      try {
        for (let at = 0; at < all.length; at += changesAtOnce) await this.#send(all.slice(at, at + changesAtOnce));
        for (const { resolve } of round) resolve();
      } catch (error) {
        for (const { reject } of round) reject(error);
      }
    }
    this.#isWriting = false;
  }

  async #send(changes: readonly RouteChange[]): Promise<void> {
    const args: Arg[] = [];
    for (const { filter, target, options } of changes) {
      args.push(`${filter}\0${target}`, options === null ? '-' : Buffer.concat([plus, options]));
    }
    const { keys } = this.#link;
    answer(
      await routesChange.run(
        this.#link,
        { table: keys.routes(), log: keys.routeLog() },
        { max_entries: this.#maxEntries, changes: args },
      ),
    );
  }
}
