import { BrokerError } from '../src/base/errors.ts';
import type { Logger } from '../src/base/log.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import { answer, Script } from '../src/redis/script.ts';
import type { Incarnation } from './cluster.ts';

export const servedAdd = new Script(new URL('./lua/served_add.lua', import.meta.url), {
  keys: ['lease', 'served'],
  args: ['client'],
});

const everyMs = 100;
const chunk = 1000;

/**
 * The clients that this life of the node serves or is about to serve: a set in Redis that whoever buries this life goes
 * through. Added before a claim, one by one; removed later, together.
 */
export class Served {
  readonly #link: RedisLink;
  readonly #incarnation: () => Incarnation;
  readonly #log: Logger;
  #leaving = new Set<string>();
  /** the removal on its way, and the clients that came back meanwhile: repeating it must not remove them */
  #flight: { readonly done: Promise<void>; readonly returned: Set<string> } | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(link: RedisLink, incarnation: () => Incarnation, log: Logger) {
    this.#link = link;
    this.#incarnation = incarnation;
    this.#log = log;
  }

  async add(clientId: string): Promise<void> {
    this.#leaving.delete(clientId);
    this.#flight?.returned.add(clientId);
    const { keys } = this.#link;
    const incarnation = this.#incarnation();
    const reply = await servedAdd.run(
      this.#link,
      { lease: keys.lease(incarnation), served: keys.served(incarnation) },
      { client: clientId },
    );
    if (answer(reply).word === 'buried') {
      throw new BrokerError('fenced', `this life of the node, ${incarnation}, is being buried: it cannot serve "${clientId}"`);
    }
  }

  remove(clientId: string): void {
    this.#leaving.add(clientId);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush().catch((error: unknown) => {
        this.#log.debug({ error: String(error) }, 'clients that left are still noted as served: trying again');
      });
    }, everyMs).unref();
  }

  /** Removes now what is to be removed. Rejects when Redis is away; then it is tried again later. */
  async flush(): Promise<void> {
    await this.#flight?.done;
    if (this.#leaving.size === 0) return;
    const leaving = [...this.#leaving];
    this.#leaving = new Set();
    const returned = new Set<string>();
    this.#flight = { done: this.#remove(leaving, returned), returned };
    await this.#flight.done;
  }

  async #remove(leaving: readonly string[], returned: ReadonlySet<string>): Promise<void> {
    const key = this.#link.keys.served(this.#incarnation());
    let done = 0;
    try {
      for (; done < leaving.length; done += chunk) {
        const gone = leaving.slice(done, done + chunk).filter((id) => !returned.has(id));
        if (gone.length > 0) await this.#link.command('SREM', key, ...gone);
      }
    } finally {
      this.#flight = null;
      for (const id of leaving.slice(done)) if (!returned.has(id)) this.remove(id);
    }
  }

  /** Forgets what was to be removed: this life is over. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leaving = new Set();
  }

  /** How many clients are noted, asked of Redis. */
  async count(): Promise<number> {
    return Number(await this.#link.command('SCARD', this.#link.keys.served(this.#incarnation())));
  }
}
