import type { Batch } from '../base/batch.ts';
import type { Queues } from './queues.ts';
import type { Retained } from './retained.ts';
import type { Sessions } from './sessions.ts';
import type { Outboxes } from './outboxes.ts';
import type { Due } from './due.ts';

/**
 * What Swarmq keeps. Two implementations behind the same interfaces pass the same contract tests: in Redis, shared by all
 * nodes; and in memory, for one node, lost at its end.
 */
export interface Store {
  readonly kind: 'redis' | 'memory';
  readonly sessions: Sessions;
  readonly queues: Queues;
  readonly retained: Retained;
  readonly outboxes: Outboxes;
  readonly due: Due;
  /** An empty batch. Replies of an earlier batch must have been read. */
  begin(): Batch;
  /** For how long the store has been out of reach, in ms; 0 when it is here. */
  readonly awayMs: number;
  close(): Promise<void>;
}
