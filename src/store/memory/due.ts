import type { Clock } from '../../base/clock.ts';
import type { Due } from '../due.ts';

interface Reminder {
  readonly clientId: string;
  readonly at: number;
}

/** Reminders of one kind: what holds is in `#times`; the heap may also have earlier ones that were replaced or done. */
class Reminders {
  readonly #times = new Map<string, number>();
  #heap: Reminder[] = [];

  set(clientId: string, at: number): void {
    this.#times.set(clientId, at);
    this.#push({ clientId, at });
    if (this.#heap.length > 100 + this.#times.size * 2) this.#sweep();
  }

  /** They stay: those that still hold are put back. */
  until(now: number, count: number): string[] {
    const found = new Set<Reminder>();
    while (found.size < count && this.#heap.length > 0 && this.#heap[0]!.at <= now) {
      const reminder = this.#pop();
      if (this.#times.get(reminder.clientId) === reminder.at) found.add(reminder);
    }
    for (const reminder of found) this.#push(reminder);
    return [...new Set(Array.from(found, ({ clientId }) => clientId))];
  }

  done(clientId: string, now: number): void {
    if ((this.#times.get(clientId) ?? Infinity) <= now) this.#times.delete(clientId);
  }

  #sweep(): void {
    this.#heap = [];
    for (const [clientId, at] of this.#times) this.#push({ clientId, at });
  }

  #push(reminder: Reminder): void {
    const heap = this.#heap;
    let at = heap.push(reminder) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.at <= reminder.at) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = reminder;
  }

  #pop(): Reminder {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (child >= heap.length || heap[child]!.at >= last.at) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

export class MemoryDue implements Due {
  readonly #clock: Clock;
  readonly #reminders = { sessions: new Reminders(), wills: new Reminders() };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async remind(what: 'sessions' | 'wills', clientId: string, inMs: number): Promise<void> {
    this.#reminders[what].set(clientId, this.#clock.monotonic() + inMs);
  }

  async ripe(what: 'sessions' | 'wills', count: number): Promise<string[]> {
    return this.#reminders[what].until(this.#clock.monotonic(), count);
  }

  async done(what: 'sessions' | 'wills', clientId: string): Promise<void> {
    this.#reminders[what].done(clientId, this.#clock.monotonic());
  }
}
