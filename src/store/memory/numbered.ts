/**
 * Entries numbered 1, 2, 3, ... (or from `first` on) in the order in which they came: a window on an array. `#entries[#head]` is number `#first`;
 * what was removed out of order is a hole until everything before it is gone. Adding and removing cost the same however
 * many there are. (A Map would do, but looking for its oldest entry passes over all those that were deleted before.)
 */
export class Numbered<Entry> {
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  /** number of the entry at `#head`, or of the next one when there is none */
  #first: number;
  #size = 0;

  constructor(first = 1) {
    this.#first = first;
  }

  get size(): number {
    return this.#size;
  }

  /** The number that the next entry gets. */
  get next(): number {
    return this.#first + this.#entries.length - this.#head;
  }

  /** Adds the entry as number `next`; over `most` the oldest one goes. */
  add(entry: Entry, most: number): void {
    this.#entries.push(entry);
    if (++this.#size > most) this.remove(this.#first);
  }

  /** Gives what was removed, undefined when nothing was there. */
  remove(number: number): Entry | undefined {
    const at = this.#head + number - this.#first;
    const entry = at < this.#head ? undefined : this.#entries[at];
    if (entry === undefined) return undefined;
    this.#entries[at] = undefined;
    this.#size--;
    while (this.#head < this.#entries.length && this.#entries[this.#head] === undefined) {
      this.#head++;
      this.#first++;
    }
    if (this.#head > 64 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** The entries from this number on, at most `count`. */
  from(number: number, count: number): Entry[] {
    const found: Entry[] = [];
    for (let at = this.#head + Math.max(0, number - this.#first); at < this.#entries.length && found.length < count; at++) {
      const entry = this.#entries[at];
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }
}
