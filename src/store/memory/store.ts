import type { Clock } from '../../base/clock.ts';
import { MemoryBatch } from './batch.ts';
import { MemoryDue } from './due.ts';
import { MemoryOutboxes } from './outboxes.ts';
import { MemoryQueues } from './queues.ts';
import { MemoryRetained } from './retained.ts';
import { MemorySessions } from './sessions.ts';
import type { Store, StoreLimits } from '../store.ts';

/** The store of a node that runs alone: in memory, at once, lost at its end. */
export function openMemoryStore(clock: Clock, limits: StoreLimits): Store {
  const sessions = new MemorySessions(clock);
  const outboxes = new MemoryOutboxes(clock, limits.outboxMaxEntries);
  return {
    kind: 'memory',
    sessions,
    queues: new MemoryQueues(sessions, outboxes, limits.queue),
    retained: new MemoryRetained(clock, limits.retained),
    outboxes,
    due: new MemoryDue(clock),
    begin: () => new MemoryBatch(),
    onAnew: () => undefined,
    awayMs: 0,
    refusal: null,
    close: () => Promise.resolve(),
  };
}
