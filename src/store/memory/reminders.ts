interface Reminder {
  readonly name: string;
  readonly at: number;
}

/** Names by the time at which something is due: what holds is in `#times`; the heap may also have earlier ones that were replaced. */
export class Reminders {
  readonly #times = new Map<string, number>();
  #heap: Reminder[] = [];

  set(name: string, at: number): void {
    this.#times.set(name, at);
    this.#push({ name, at });
    if (this.#heap.length > 100 + this.#times.size * 2) this.#sweep();
  }

  /** They stay: those that still hold are put back. */
  until(now: number, count: number): string[] {
    const found = new Set<Reminder>();
    while (found.size < count && this.#heap.length > 0 && this.#heap[0]!.at <= now) {
      const reminder = this.#pop();
      if (this.#times.get(reminder.name) === reminder.at) found.add(reminder);
    }
    for (const reminder of found) this.#push(reminder);
    return [...new Set(Array.from(found, ({ name }) => name))];
  }

  /** Removes it unless it was set to a later time meanwhile. */
  done(name: string, now: number): void {
    if ((this.#times.get(name) ?? Infinity) <= now) this.#times.delete(name);
  }

  remove(name: string): void {
    this.#times.delete(name);
  }

  #sweep(): void {
    this.#heap = [];
    for (const [name, at] of this.#times) this.#push({ name, at });
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
