import type { QueueDrop, QueueLimit } from '../store/queues.ts';
import type { Counts } from './counts.ts';
import type { Engine } from './engine.ts';

/** Seconds from one line about a client to the next. */
const lineEverySeconds = 60;
/** Clients that have lines of their own; the others share one. */
const named = 100;

const reasonOf = { messages: 'queue-full', bytes: 'queue-full-bytes' } as const;

interface Losing {
  dropped: number;
  limit: QueueLimit;
  /** the engine's second of the next line */
  due: number;
}

/**
 * Messages that were dropped because a session's queue was full: each one counted, and told of in the log by client, one line
 * a minute for as long as it goes on.
 */
export class QueueDrops {
  readonly #engine: Engine;
  readonly #count: Counts['dropped'];
  readonly #losing = new Map<string, Losing>();
  readonly #others = new Set<string>();
  #othersDropped = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#count = engine.count.dropped;
  }

  tended(drops: readonly QueueDrop[]): void {
    for (const { clientId, limit, count } of drops) this.note(clientId, limit, count);
  }

  note(clientId: string, limit: QueueLimit, count: number): void {
    this.#count.of(reasonOf[limit]).value += count;
    const losing = this.#losing.get(clientId);
    if (losing !== undefined) {
      losing.dropped += count;
      losing.limit = limit;
    } else if (this.#losing.size < named) {
      this.#losing.set(clientId, { dropped: count, limit, due: 0 });
    } else {
      this.#othersDropped += count;
      if (this.#others.size < 10_000) this.#others.add(clientId);
    }
  }

  /** Once a second. */
  tick(): void {
    const { second, log } = this.#engine;
    for (const [client, losing] of this.#losing) {
      if (losing.due > second) continue;
      if (losing.dropped === 0) {
        this.#losing.delete(client);
        continue;
      }
      log.warn({ client, dropped: losing.dropped, limit: losing.limit }, 'messages were dropped: the queue of the session is full');
      losing.dropped = 0;
      losing.due = second + lineEverySeconds;
    }
    if (this.#othersDropped === 0 || second % lineEverySeconds !== 0) return;
    log.warn({ clients: this.#others.size, dropped: this.#othersDropped }, 'messages were dropped: the queues of more sessions are full');
    this.#others.clear();
    this.#othersDropped = 0;
  }
}
