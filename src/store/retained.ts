import type { Batch } from '../base/batch.ts';

/** The retained messages by topic, as records, with an index that makes a wildcard cost by what it can match. */
export interface Retained {
  /** Stores the record as the retained message of its topic, or removes it when null. Carried out at the commit. */
  put(batch: Batch, topic: string, record: Buffer | null): void;

  /**
   * The records whose topics match the filter, page by page; a page holds at most about a hundred and may be empty, and each
   * step is bounded, so neither this node nor the store is busy for long. Expired ones may be among them. What is put or
   * removed meanwhile may be among them or not.
   */
  match(filter: string): AsyncIterable<Buffer[]>;

  /** How many topics have a retained message. */
  count(): Promise<number>;
}
