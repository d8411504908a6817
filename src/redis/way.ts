import type { Redis, RedisOptions } from 'ioredis';
import type { Logger } from '../base/log.ts';
import type { RedisPlace } from '../base/redis-url.ts';
import type { Arg, RedisBatch, Reply } from './batch.ts';

/** How a batch, a command, a connection that blocks get to the server that is in charge: one for each topology of Redis. */
export interface Way {
  /** Whether the next command has a chance. */
  readonly isReady: boolean;
  /** Since when (monotonic ms) no batch can be sent; 0 when it can. */
  readonly awaySince: number;
  /** how long the last batch took, in ms */
  readonly lastBatchMs: number;
  /** whether keys lie on several servers, so that commands have to say which */
  readonly isSharded: boolean;
  /** Resolves when every connection is up; the error says why it is not. */
  ready(withinMs: number): Promise<void>;
  /** Carries a batch out, however long that takes; `done(error)` only when the way is closed. `isFirst`: before all that wait. */
  send(batch: RedisBatch, done: (error: Error | null) => void, isFirst?: boolean): void;
  /** One command; `isKept`: resolves only when the replicas asked for have it. Rejects with what the client library says. */
  call(name: string, args: readonly Arg[], isKept: boolean): Promise<Reply>;
  /** A connection to the server that has this key, for commands that block. */
  blocking(key: string): Redis;
  /** Such a connection was told that its key is elsewhere. */
  astray(): void;
  close(): void;
}

export interface WaySettings {
  readonly url: string;
  readonly place: RedisPlace;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly sentinelPassword: string | null;
  readonly waitReplicas: number;
  readonly waitTimeoutMs: number;
  readonly log: Logger;
  /** what Redis said when it took nothing */
  readonly onRefused: (error: unknown) => void;
  /** A connection is up, perhaps to another server than before; called before anything is sent on it. */
  readonly onAnew: (redis: Redis, isOfBatches: boolean) => void;
}

/** Options of connections that others than the batches use. */
export const forCommands = (settings: WaySettings): RedisOptions => ({ enableAutoPipelining: true, commandTimeout: settings.commandTimeoutMs });
export const forBlocking: RedisOptions = { enableOfflineQueue: true };
