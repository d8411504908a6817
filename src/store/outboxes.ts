import type { Batch } from '../base/batch.ts';

export interface OutboxEntry {
  readonly id: string;
  /** the name of the rule by which it came here */
  readonly rule: string;
  readonly record: Buffer;
}

/** One shard of one bridge's outbox. */
export interface OutboxRef {
  readonly bridge: string;
  readonly shard: number;
}

/** An append to some other stream of the store. */
export interface StreamTarget {
  readonly kind: 'stream';
  /** whether the stream is made when it is not there: an inbox of a life that ended is not */
  readonly isMade: boolean;
  readonly key: string;
  readonly field: string;
  readonly value: Buffer;
  readonly maxEntries: number;
}

/**
 * The streams toward Kafka. Records go in with the commit of the message; the shard's leader takes them out in order, and
 * removes them when Kafka has acknowledged them. The leader is elected beside its outbox: each has a higher token than the
 * ones before, and `remove` refuses an old token.
 */
export interface Outboxes {
  ref(bridge: string, shard: number): OutboxRef;
  push(batch: Batch, outbox: OutboxRef, rule: string, record: Buffer): number;
  /** The append as a target of `Queues.pushOnce`: stream key, field and value are the store's matter. */
  target(outbox: OutboxRef, rule: string, record: Buffer): StreamTarget;
  /** Asks for the length within the batch. Slot: `length`. */
  measure(batch: Batch, outbox: OutboxRef): number;
  length(batch: Batch, slot: number): number;

  /** Becomes or stays leader for `leaseMs`: gives the token, or null while somebody else leads. */
  lead(outbox: OutboxRef, node: string, leaseMs: number): Promise<number | null>;
  /** Gives the lead up before its time. */
  resign(outbox: OutboxRef, token: number): Promise<void>;
  /** The entries after `afterId` ('' = from the beginning), in order, at most `count`. */
  read(outbox: OutboxRef, afterId: string, count: number): Promise<OutboxEntry[]>;
  /** Removes entries; `fenced` when the token is not the leader's any more (nothing is removed). */
  remove(outbox: OutboxRef, token: number, ids: readonly string[]): Promise<'ok' | 'fenced'>;
  size(outbox: OutboxRef): Promise<number>;
}
