import type { Batch } from '../base/batch.ts';
import type { Queues } from './queues.ts';
import type { Retained, RetainedLimits } from './retained.ts';
import type { Sessions } from './sessions.ts';
import type { Outboxes } from './outboxes.ts';
import type { Due } from './due.ts';

/** How much may wait in one session's queue while nobody serves the session. */
export interface QueueLimits {
  readonly maxMessages: number;
  /** of heads and records; what Redis needs to keep them counts there */
  readonly maxBytes: number;
  /** whether what is refused over the limits is the newest; otherwise the oldest goes */
  readonly dropsNewest: boolean;
  /** how many messages are taken to be on their way to a client whose node died */
  readonly window: number;
}

/** How much a store keeps in one place. Of outboxes the oldest goes first; Redis trims whole blocks, so it may keep some more. */
export interface StoreLimits {
  readonly queue: QueueLimits;
  /** records in one shard of an outbox: the last resort behind the policy of its bridge */
  readonly outboxMaxEntries: number;
  /** retained messages, and the bytes of their records, of the whole cluster: no new topic is retained over them */
  readonly retained: RetainedLimits;
}

/**
 * What Swarmq keeps. Buffers given to a store are kept as they are: nobody writes to them afterwards. Two implementations behind the same interfaces pass the same contract tests: in Redis, shared by all
 * nodes; and in memory, for one node, lost at its end.
 */
export interface Store {
  readonly kind: 'redis' | 'memory';
  readonly sessions: Sessions;
  readonly queues: Queues;
  readonly retained: Retained;
  readonly outboxes: Outboxes;
  readonly due: Due;
  /** An empty batch. The memory of earlier ones is used again: replies are read in the turn of the event loop in which they came. */
  begin(): Batch;
  /**
   * `ask` is called whenever the way to the store was made anew, perhaps to a server that lost its last moments: what it
   * appends is carried out before anything else, and then what it gave is called. The store in memory never calls it.
   */
  onAnew(ask: (batch: Batch) => () => void): void;
  /** For how long the store has been out of reach, in ms; 0 when it is here. */
  readonly awayMs: number;
  /** Why the store, though it is here, takes nothing at the moment; null when it does. */
  readonly refusal: string | null;
  /** Lets go of what the store itself opened; the way to Redis belongs to whoever opened it. */
  close(): Promise<void>;
}
