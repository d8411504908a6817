import type { Batch } from '../../base/batch.ts';
import type { MemoryBatch } from './batch.ts';
import type { MemoryOutboxes } from './outboxes.ts';
import type { Numbered } from './numbered.ts';
import type { MemorySession, MemorySessions } from './sessions.ts';
import type { Once, OnceResult, OnceTarget, QueueEntry, QueueRef, Queues } from '../queues.ts';
import type { Owned } from '../sessions.ts';

/** Remembers the session it found last, so that a push looks nothing up. */
class MemoryQueueRef implements QueueRef {
  readonly clientId: string;
  readonly #sessions: MemorySessions;
  #session: MemorySession | undefined;

  constructor(clientId: string, sessions: MemorySessions) {
    this.clientId = clientId;
    this.#sessions = sessions;
  }

  /** A session that was emptied has no queue: then there may be another one by now. */
  get queue(): Numbered<QueueEntry> | null {
    const queue = this.#session?.queue ?? null;
    if (queue !== null) return queue;
    this.#session = this.#sessions.find(this.clientId);
    return this.#session?.queue ?? null;
  }
}

export class MemoryQueues implements Queues {
  readonly #sessions: MemorySessions;
  readonly #outboxes: MemoryOutboxes;
  readonly #most: number;

  constructor(sessions: MemorySessions, outboxes: MemoryOutboxes, maxMessages: number) {
    this.#sessions = sessions;
    this.#outboxes = outboxes;
    this.#most = maxMessages;
  }

  ref(clientId: string): QueueRef {
    return new MemoryQueueRef(clientId, this.#sessions);
  }

  push(batch: Batch, queue: QueueRef, head: Buffer, record: Buffer): number {
    return (batch as MemoryBatch).note(this.#add(queue, head, record));
  }

  seq(batch: Batch, slot: number): number {
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

  once(batch: Batch, slot: number): OnceResult {
    return (batch as MemoryBatch).results[slot] as OnceResult;
  }

  owned(batch: Batch, slot: number): Owned {
    return (batch as MemoryBatch).results[slot] as Owned;
  }

  async read(queue: QueueRef, from: number, count: number): Promise<QueueEntry[]> {
    return (queue as MemoryQueueRef).queue?.from(from, count) ?? [];
  }

  #add(ref: QueueRef, head: Buffer, record: Buffer): number {
    const { queue } = ref as MemoryQueueRef;
    if (queue === null) return 0;
    const seq = queue.next;
    queue.add({ seq, head, record }, this.#most);
    return seq;
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
