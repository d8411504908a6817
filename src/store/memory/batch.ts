import type { Batch } from '../../base/batch.ts';
import type { OnceResult } from '../queues.ts';

/** What an operation gave: a sequence number or length, whether the caller still owned or there was room, or what happened once. */
export type Result = number | 'ok' | 'fenced' | 'full' | OnceResult;

/** In memory everything is carried out when it is appended; the batch only keeps what came of it. */
export class MemoryBatch implements Batch {
  readonly results: Result[] = [];

  get size(): number {
    return this.results.length;
  }

  /** Gives the slot. */
  note(result: Result): number {
    return this.results.push(result) - 1;
  }

  commit(done: (error: Error | null) => void): void {
    done(null);
  }
}
