import type { Clock } from '../src/base/clock.ts';
import type { Logger } from '../src/base/log.ts';
import type { Reply } from '../src/redis/batch.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import type { ClusterHandlers, Handover, Incarnation } from './cluster.ts';
import { isLeaseAlive } from './lease.ts';

export interface HandoverOptions {
  readonly self: () => Incarnation;
  readonly tell: (to: Incarnation, word: string, body: unknown) => void;
  /** whether the life listens for words */
  readonly isHeardBy: (to: Incarnation) => Promise<boolean>;
  /** after so long the former owner is not waited for any longer: the fence holds without it */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** "Let go of this client's session, for it was claimed under this epoch", and the answer that it is done. */
const letGoWord = 'let-go';
const letGoneWord = 'let-gone';

const lookMs = 100;
/** A life that does not listen at so many looks in a row is not waited for: its process has ended, or it cannot answer. */
const deafLooks = 2;
const repeatMs = 500;

interface Ask {
  readonly clientId: string;
  readonly epoch: number;
}

/**
 * How sessions change hands. The truth is the session's field `former` in Redis, and the former owner's lease: the words
 * between the nodes only make it quick.
 *
 * A node that was killed is not waited for until its lease ends: Redis sees its connections close at once, and the control
 * bus tells that nobody listens there. Should it live all the same, the fence keeps it out; it can only lose the last
 * acknowledgements of its client, which then gets these messages again.
 */
export class RedisHandover implements Handover {
  readonly #link: RedisLink;
  readonly #options: HandoverOptions;
  /** who waits, by client, and how to make them look at once */
  readonly #waiting = new Map<string, Set<() => void>>();
  /** what is being let go of at this moment: the word for it may come again */
  readonly #lettingGo = new Set<string>();

  constructor(link: RedisLink, options: HandoverOptions) {
    this.#link = link;
    this.#options = options;
  }

  isAlive(incarnation: Incarnation): Promise<boolean> {
    return isLeaseAlive(this.#link, incarnation);
  }

  async takeFrom(former: Incarnation, clientId: string, epoch: number): Promise<void> {
    const { clock, leaseMs, log, tell } = this.#options;
    const began = clock.monotonic();
    const patience = new Patience();
    const nudge = (): void => {
      patience.end();
    };
    const waiting = this.#waiting.get(clientId) ?? new Set();
    this.#waiting.set(clientId, waiting.add(nudge));
    let toldAt = -Infinity;
    let deaf = 0;
    try {
      while (!(await this.#isOver(former, clientId, epoch))) {
        deaf = (await this.#isDeaf(former)) ? deaf + 1 : 0;
        if (deaf >= deafLooks) return;
        const now = clock.monotonic();
        if (now - began > leaseMs) {
          log.warn({ former, clientId }, 'a node did not let go of a client in time: taking the session without its word');
          return;
        }
        if (now - toldAt >= repeatMs) {
          toldAt = now;
          tell(former, letGoWord, { clientId, epoch } satisfies Ask);
        }
        await patience.wait(lookMs);
      }
    } finally {
      waiting.delete(nudge);
      if (waiting.size === 0) this.#waiting.delete(clientId);
    }
  }

  /** Takes a word from the control bus. Gives false when it is none of the handover's. */
  hear(word: string, body: unknown, from: Incarnation, letGo: ClusterHandlers['letGo']): boolean {
    if (word !== letGoWord && word !== letGoneWord) return false;
    if (!isAsk(body)) {
      this.#options.log.debug({ word, from }, 'a word about a handover was not understood');
    } else if (word === letGoneWord) {
      for (const nudge of this.#waiting.get(body.clientId) ?? []) nudge();
    } else {
      void this.#letGo(body, from, letGo);
    }
    return true;
  }

  async #letGo({ clientId, epoch }: Ask, by: Incarnation, letGo: ClusterHandlers['letGo']): Promise<void> {
    const asked = `${epoch} ${by} ${clientId}`;
    if (this.#lettingGo.has(asked)) return;
    this.#lettingGo.add(asked);
    try {
      await letGo(clientId, epoch);
      this.#options.tell(by, letGoneWord, { clientId, epoch } satisfies Ask);
    } catch (error) {
      // The one who waits asks again.
      this.#options.log.warn({ clientId, by, error: String(error) }, 'a session could not be let go of');
    } finally {
      this.#lettingGo.delete(asked);
    }
  }

  async #isDeaf(former: Incarnation): Promise<boolean> {
    try {
      return !(await this.#options.isHeardBy(former));
    } catch {
      return false;
    }
  }

  /**
   * Whether the former owner let go, or is dead, or a later claim makes this one pointless. While Redis is away: not as far as
   * we know.
   */
  async #isOver(former: Incarnation, clientId: string, epoch: number): Promise<boolean> {
    try {
      const [fields, isAlive] = await Promise.all([
        this.#link.command('HMGET', this.#link.keys.session(clientId), 'former', 'epoch'),
        this.isAlive(former),
      ]);
      const [owner, current] = fields as Reply[];
      return !isAlive || String(owner) !== former || Number(current) > epoch;
    } catch (error) {
      this.#options.log.debug({ clientId, error: String(error) }, 'cannot see whether a session was let go of');
      return false;
    }
  }
}

function isAsk(body: unknown): body is Ask {
  if (typeof body !== 'object' || body === null || !('clientId' in body) || !('epoch' in body)) return false;
  return typeof body.clientId === 'string' && Number.isSafeInteger(body.epoch);
}

/** A pause that can be cut short, also before it begins. */
class Patience {
  #wake: (() => void) | null = null;
  #isEnded = false;

  async wait(ms: number): Promise<void> {
    if (!this.#isEnded) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = null;
    this.#isEnded = false;
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }
}
