import type { Incarnation } from './cluster.ts';

/** So many of a sender's latest entries are remembered: more than it can have on their way at once. */
const remembered = 1024;
const mostSenders = 1000;

/**
 * What came before. A sender whose connection to Redis broke between an entry and its answer sends the entry again; what is in
 * it (a QoS 0 message, a QoS 2 message for a clean session) may have been delivered already and must not be again.
 */
export class Repeats {
  readonly #seen = new Map<Incarnation, Set<number>>();

  /** Whether this is not the first time that it is asked for this entry. */
  has(sender: Incarnation, number: number): boolean {
    let numbers = this.#seen.get(sender);
    if (numbers === undefined) {
      if (this.#seen.size >= mostSenders) this.#forgetOldest(this.#seen);
      this.#seen.set(sender, (numbers = new Set()));
    }
    if (numbers.has(number)) return true;
    if (numbers.size >= remembered) this.#forgetOldest(numbers);
    numbers.add(number);
    return false;
  }

  #forgetOldest<Key>(from: { keys(): IterableIterator<Key>; delete(key: Key): boolean }): void {
    for (const oldest of from.keys()) {
      from.delete(oldest);
      return;
    }
  }
}
