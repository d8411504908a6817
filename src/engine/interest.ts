import type { Routes as RouteTable, RouteChange } from '../../cluster/cluster.ts';
import { nodeRoute } from './routes.ts';

interface Wanted {
  /** subscriptions that get every QoS from this node: clean sessions, and QoS 0 ones of any session */
  live: number;
  /** subscriptions that need this node only for QoS 0: QoS 1 and 2 reach them by their queue */
  quiet: number;
}

/**
 * What the subscribers connected to this node want, told to the cluster once for each filter: when the first one comes
 * (0 -> 1), when the last one goes (1 -> 0), and when the kind of interest changes.
 *
 * Changes are written one batch after the other, so they reach the log in the order in which they happened. `settled`
 * resolves when all changes made so far are committed.
 */
export class Interest {
  readonly #wanted = new Map<string, Wanted>();
  readonly #self: () => string;
  readonly #table: RouteTable;
  #waiting: RouteChange[] = [];
  #writing: Promise<void> | null = null;

  constructor(self: () => string, table: RouteTable) {
    this.#self = self;
    this.#table = table;
  }

  get size(): number {
    return this.#wanted.size;
  }

  add(filter: string, kind: keyof Wanted): void {
    let wanted = this.#wanted.get(filter);
    if (wanted === undefined) this.#wanted.set(filter, (wanted = { live: 0, quiet: 0 }));
    const before = told(wanted);
    wanted[kind]++;
    this.#tell(filter, before, told(wanted));
  }

  remove(filter: string, kind: keyof Wanted): void {
    const wanted = this.#wanted.get(filter);
    if (wanted === undefined || wanted[kind] === 0) return;
    const before = told(wanted);
    wanted[kind]--;
    const after = told(wanted);
    if (after === null) this.#wanted.delete(filter);
    this.#tell(filter, before, after);
  }

  /** Tells everything again: a new life of this node has begun. */
  retell(): void {
    this.#waiting = [];
    for (const [filter, wanted] of this.#wanted) this.#tell(filter, null, told(wanted));
  }

  /** Rejects with `store-unavailable` when a change could not be written; it is written with the next one. */
  async settled(): Promise<void> {
    while (this.#writing !== null || this.#waiting.length > 0) await (this.#writing ??= this.#write());
  }

  async #write(): Promise<void> {
    const life = this.#self();
    const changes = this.#waiting;
    this.#waiting = [];
    try {
      await this.#table.change(changes);
    } catch (error) {
      // what an earlier life of this node wanted was told again by `retell`
      if (life === this.#self()) this.#waiting = [...changes, ...this.#waiting];
      throw error;
    } finally {
      this.#writing = null;
    }
  }

  #tell(filter: string, before: 'live' | 'quiet' | null, after: 'live' | 'quiet' | null): void {
    if (before !== after) this.#waiting.push(nodeRoute(filter, this.#self(), after));
  }
}

function told(wanted: Wanted): 'live' | 'quiet' | null {
  return wanted.live > 0 ? 'live' : wanted.quiet > 0 ? 'quiet' : null;
}
