import { Numbered } from './numbered.ts';
import type { QueueEntry } from '../queues.ts';

/** One session's queue, with the bytes in it. */
export class MemoryQueue {
  readonly #entries: Numbered<QueueEntry>;
  bytes = 0;

  constructor(firstSeq: number) {
    this.#entries = new Numbered(firstSeq);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The number that the next entry gets. */
  get next(): number {
    return this.#entries.next;
  }

  /** Gives the number. */
  add(head: Buffer, record: Buffer): number {
    const seq = this.#entries.next;
    this.#entries.add({ seq, head, record }, Infinity);
    this.bytes += head.length + record.length;
    return seq;
  }

  remove(seq: number): void {
    const entry = this.#entries.remove(seq);
    if (entry !== undefined) this.bytes -= entry.head.length + entry.record.length;
  }

  from(seq: number, count: number): QueueEntry[] {
    return this.#entries.from(seq, count);
  }

  /** Removes the oldest behind number `sent`. False: there is none. */
  dropOldest(sent: number): boolean {
    const [oldest] = this.#entries.from(sent + 1, 1);
    if (oldest === undefined) return false;
    this.remove(oldest.seq);
    return true;
  }
}
