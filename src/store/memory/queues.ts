import type { Batch } from '../../base/batch.ts';
import type { MemoryBatch } from './batch.ts';
import type { MemoryOutboxes } from './outboxes.ts';
import type { MemoryQueue } from './queue.ts';
import type { MemorySession, MemorySessions } from './sessions.ts';
import type { Once, OnceResult, OnceTarget, QueueDrop, QueueEntry, QueueLimit, QueueRef, Queues, Tending } from '../queues.ts';
import type { Owned } from '../sessions.ts';
import type { QueueLimits } from '../store.ts';

/** Remembers the session it found last, so that a push looks nothing up. */
class MemoryQueueRef implements QueueRef {
  readonly clientId: string;
  readonly #sessions: MemorySessions;
  readonly #limits: QueueLimits;
  #session: MemorySession | undefined;

  constructor(clientId: string, sessions: MemorySessions, limits: QueueLimits) {
    this.clientId = clientId;
    this.#sessions = sessions;
    this.#limits = limits;
  }

  /** A session that was emptied has no queue: then there may be another one by now. */
  get session(): MemorySession | undefined {
    if ((this.#session?.queue ?? null) === null) this.#session = this.#sessions.find(this.clientId);
    return this.#session;
  }

  get queue(): MemoryQueue | null {
    return this.session?.queue ?? null;
  }

  get isFull(): boolean {
    const { queue } = this;
    return queue !== null && (queue.size >= this.#limits.maxMessages || queue.bytes >= this.#limits.maxBytes);
  }
}

export class MemoryQueues implements Queues {
  readonly #sessions: MemorySessions;
  readonly #outboxes: MemoryOutboxes;
  readonly #limits: QueueLimits;
  #drops: QueueDrop[] = [];

  constructor(sessions: MemorySessions, outboxes: MemoryOutboxes, limits: QueueLimits) {
    this.#sessions = sessions;
    this.#outboxes = outboxes;
    this.#limits = limits;
  }

  ref(clientId: string): QueueRef {
    return new MemoryQueueRef(clientId, this.#sessions, this.#limits);
  }

  push(batch: Batch, queue: QueueRef, head: Buffer, record: Buffer): number {
    return (batch as MemoryBatch).note(this.#add(queue, head, record));
  }

  seq(batch: Batch, _queue: QueueRef, slot: number): number {
    return (batch as MemoryBatch).results[slot] as number;
  }

  /** Every push keeps the limits at once; what is left to do is to tell. */
  get wantsTending(): boolean {
    return this.#drops.length > 0;
  }

  tend(batch: Batch): Tending | null {
    return this.#drops.length > 0 ? { batch } : null;
  }

  tended(): QueueDrop[] {
    const drops = this.#drops;
    this.#drops = [];
    return drops;
  }

  lookAgain(): void {
    // a look costs nothing here
  }

  size(queue: QueueRef): Promise<number> {
    return Promise.resolve((queue as MemoryQueueRef).queue?.size ?? 0);
  }

  last(batch: Batch, queue: QueueRef): number {
    const { queue: stored } = queue as MemoryQueueRef;
    return (batch as MemoryBatch).note(stored === null ? 0 : stored.next - 1);
  }

  lastSeq(batch: Batch, slot: number): number {
    return (batch as MemoryBatch).results[slot] as number;
  }

  acknowledge(batch: Batch, { clientId }: QueueRef, epoch: number, seqs: readonly number[]): number {
    const session = this.#accepting(clientId, epoch);
    for (const seq of seqs) session?.queue?.remove(seq);
    return noteOwned(batch, session);
  }

  receive(batch: Batch, { clientId }: QueueRef, epoch: number, seqs: readonly number[]): number {
    const session = this.#accepting(clientId, epoch);
    for (const seq of seqs) {
      session?.queue?.remove(seq);
      session?.released.add(((seq - 1) % 65535) + 1);
    }
    return noteOwned(batch, session);
  }

  complete(batch: Batch, { clientId }: QueueRef, epoch: number, packetIds: readonly number[]): number {
    const session = this.#accepting(clientId, epoch);
    for (const packetId of packetIds) session?.released.delete(packetId);
    return noteOwned(batch, session);
  }

  forget(batch: Batch, { clientId }: QueueRef, epoch: number, packetIds: readonly number[]): number {
    const session = this.#accepting(clientId, epoch);
    for (const packetId of packetIds) session?.incoming.delete(packetId);
    return noteOwned(batch, session);
  }

  pushOnce(batch: Batch, once: Once, targets: readonly OnceTarget[]): number {
    const session = this.#accepting(once.clientId, once.epoch);
    if (session === undefined) return (batch as MemoryBatch).note({ word: 'fenced' });
    if (!isFirst(session, once)) return (batch as MemoryBatch).note({ word: 'seen' });
    const seqs = targets.map((target) => {
      if (target.kind === 'queue') return this.#add(target.queue, target.head, target.record);
      this.#outboxes.add(target);
      return 0;
    });
    return (batch as MemoryBatch).note({ word: 'ok', seqs });
  }

  once(batch: Batch, _targets: readonly OnceTarget[], slot: number): OnceResult {
    return (batch as MemoryBatch).results[slot] as OnceResult;
  }

  owned(batch: Batch, slot: number): Owned {
    return (batch as MemoryBatch).results[slot] as Owned;
  }

  async read(queue: QueueRef, from: number, count: number): Promise<QueueEntry[]> {
    return (queue as MemoryQueueRef).queue?.from(from, count) ?? [];
  }

  /** A queue that nobody serves is kept within its limits. */
  #add(ref: QueueRef, head: Buffer, record: Buffer): number {
    const { session } = ref as MemoryQueueRef;
    const queue = session?.queue ?? null;
    if (session === undefined || queue === null) return 0;
    if (session.owner !== null) return queue.add(head, record);
    if (this.#limits.dropsNewest) {
      const limit = this.#passed(queue.size + 1, queue.bytes + head.length + record.length);
      if (limit === null) return queue.add(head, record);
      this.#drops.push({ clientId: ref.clientId, limit, count: 1 });
      // nobody is here who would look for it
      return queue.next;
    }
    const seq = queue.add(head, record);
    const sent = session.releasedInOrder ? session.sentUpTo : queue.from(1, 1)[0]!.seq + this.#limits.window - 1;
    for (;;) {
      const limit = this.#passed(queue.size, queue.bytes);
      if (limit === null || !queue.dropOldest(sent)) return seq;
      this.#drops.push({ clientId: ref.clientId, limit, count: 1 });
    }
  }

  #passed(messages: number, bytes: number): QueueLimit | null {
    return messages > this.#limits.maxMessages ? 'messages' : bytes > this.#limits.maxBytes ? 'bytes' : null;
  }

  #accepting(clientId: string, epoch: number): MemorySession | undefined {
    const session = this.#sessions.find(clientId);
    return session?.accepts(epoch) ? session : undefined;
  }
}

/** Notes that it happened; false when that was noted before. */
function isFirst(session: MemorySession, once: Once): boolean {
  if (once.kind === 'will') {
    if (session.will === null) return false;
    session.will = null;
    return true;
  }
  if (session.incoming.has(once.packetId)) return false;
  session.incoming.add(once.packetId);
  return true;
}

function noteOwned(batch: Batch, session: MemorySession | undefined): number {
  return (batch as MemoryBatch).note(session === undefined ? 'fenced' : 'ok');
}
