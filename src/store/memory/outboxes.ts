import type { Batch } from '../../base/batch.ts';
import type { Clock } from '../../base/clock.ts';
import type { MemoryBatch } from './batch.ts';
import { Numbered } from './numbered.ts';
import type { OutboxEntry, Outboxes, OutboxRef, StreamTarget } from '../outboxes.ts';

/** One shard. An entry's id is its number. */
class MemoryOutbox implements OutboxRef {
  readonly bridge: string;
  readonly shard: number;
  readonly key: string;
  readonly entries = new Numbered<OutboxEntry>();
  leader: string | null = null;
  token = 0;
  /** on the monotonic clock */
  ledUntil = 0;

  constructor(bridge: string, shard: number) {
    this.bridge = bridge;
    this.shard = shard;
    this.key = keyOf(bridge, shard);
  }
}

export class MemoryOutboxes implements Outboxes {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #outboxes = new Map<string, MemoryOutbox>();

  constructor(clock: Clock, maxEntries: number) {
    this.#clock = clock;
    this.#most = maxEntries;
  }

  ref(bridge: string, shard: number): OutboxRef {
    const key = keyOf(bridge, shard);
    let outbox = this.#outboxes.get(key);
    if (outbox === undefined) this.#outboxes.set(key, (outbox = new MemoryOutbox(bridge, shard)));
    return outbox;
  }

  push(batch: Batch, outbox: OutboxRef, rule: string, record: Buffer): number {
    return (batch as MemoryBatch).note(this.#add(outbox as MemoryOutbox, rule, record));
  }

  target(outbox: OutboxRef, rule: string, record: Buffer): StreamTarget {
    return { kind: 'stream', isMade: true, key: (outbox as MemoryOutbox).key, field: rule, value: record, maxEntries: this.#most };
  }

  /** Carries out a target that `target` made. */
  add({ key, field, value }: StreamTarget): void {
    const outbox = this.#outboxes.get(key);
    if (outbox !== undefined) this.#add(outbox, field, value);
  }

  measure(batch: Batch, outbox: OutboxRef): number {
    return (batch as MemoryBatch).note((outbox as MemoryOutbox).entries.size);
  }

  length(batch: Batch, slot: number): number {
    return (batch as MemoryBatch).results[slot] as number;
  }

  async lead(outbox: OutboxRef, node: string, leaseMs: number): Promise<number | null> {
    const box = outbox as MemoryOutbox;
    const now = this.#clock.monotonic();
    if (box.leader === null || box.ledUntil <= now) {
      box.leader = node;
      box.token++;
    } else if (box.leader !== node) {
      return null;
    }
    box.ledUntil = now + leaseMs;
    return box.token;
  }

  async resign(outbox: OutboxRef, token: number): Promise<void> {
    if (this.#leads(outbox as MemoryOutbox, token)) (outbox as MemoryOutbox).leader = null;
  }

  async read(outbox: OutboxRef, afterId: string, count: number): Promise<OutboxEntry[]> {
    return (outbox as MemoryOutbox).entries.from(Number(afterId) + 1, count);
  }

  async remove(outbox: OutboxRef, token: number, ids: readonly string[]): Promise<'ok' | 'fenced'> {
    const box = outbox as MemoryOutbox;
    if (!this.#leads(box, token)) return 'fenced';
    for (const id of ids) box.entries.remove(Number(id));
    return 'ok';
  }

  async size(outbox: OutboxRef): Promise<number> {
    return (outbox as MemoryOutbox).entries.size;
  }

  #add({ entries }: MemoryOutbox, rule: string, record: Buffer): number {
    const number = entries.next;
    entries.add({ id: String(number), rule, record }, this.#most);
    return number;
  }

  #leads(outbox: MemoryOutbox, token: number): boolean {
    return outbox.leader !== null && outbox.token === token && outbox.ledUntil > this.#clock.monotonic();
  }
}

function keyOf(bridge: string, shard: number): string {
  return `${bridge}:${shard}`;
}
