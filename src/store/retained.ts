import type { Batch } from '../base/batch.ts';

/**
 * The retained messages by topic, as records, with indexes that make a wildcard cost by what it matches.
 *
 * A message may have a time at which it expires, in ms since 1970 on the clock that all nodes share: it stays, and counts, until
 * somebody calls `expire`.
 */
export interface Retained {
  /**
   * Stores the record as the retained message of its topic, or removes it when null; `expiresAt` 0: never. A new topic is refused
   * while the limits are reached; replacing and removing always work. Slot: `outcome`.
   */
  put(batch: Batch, topic: string, record: Buffer | null, expiresAt: number): number;

  outcome(batch: Batch, slot: number): 'ok' | 'full';

  /** The record of one topic, null when there is none. It may have expired. */
  get(topic: string): Promise<Buffer | null>;

  /** A walk through the records whose topics match a filter with a wildcard. */
  match(filter: string): RetainedWalk;

  /** Removes messages whose time is over, at most `count`; gives how many. Fewer means that no more are due. */
  expire(count: number): Promise<number>;

  measure(): Promise<RetainedSize>;
}

/** Goes through matching records page by page. Each step is bounded: neither this node nor the store is busy for long. */
export interface RetainedWalk {
  /**
   * The next page: at most about a hundred records or 256 KiB, perhaps none; null at the end. Expired ones may be among them; what
   * is put or removed meanwhile may be among them or not. A call that failed may be repeated, and misses nothing.
   */
  next(): Promise<Buffer[] | null>;
}

/** How many topics have a retained message, and how many bytes their records have. */
export interface RetainedSize {
  readonly messages: number;
  readonly bytes: number;
}

/** Most of them, over all nodes. */
export interface RetainedLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}
