/**
 * All writes of one event-loop turn, on their way to the store as one round trip.
 *
 * Whoever keeps state (queues, inboxes, the route log, outboxes) appends to the batch and gets a slot; after the commit
 * it reads its reply from the slot. A batch is committed once and then thrown away.
 */
export interface Batch {
  /** How many commands it holds. */
  readonly size: number;

  /**
   * Sends the batch. `done(null)` means: every command was carried out, and the replies can be read. `done(error)`
   * means that nothing is known: some commands may have been carried out, so the caller builds the batch again from
   * what it still holds. With the store in memory `done` is called before `commit` returns. `isFirst`: before all batches that
   * wait because the store is away or refuses.
   */
  commit(done: (error: Error | null) => void, isFirst?: boolean): void;
}
