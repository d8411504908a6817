import type { Batch } from '../base/batch.ts';
import type { StreamTarget } from './outboxes.ts';

/** A session's queue, prepared for many appends. Made once for each session a node routes to. */
export interface QueueRef {
  readonly clientId: string;
  /** whether the queue was full when this node last looked at it */
  readonly isFull: boolean;
}

export type QueueLimit = 'messages' | 'bytes';

/** Messages that were dropped from a queue over its limit. */
export interface QueueDrop {
  readonly clientId: string;
  readonly limit: QueueLimit;
  readonly count: number;
}

/** What `tend` put into a batch. */
export interface Tending {
  readonly batch: Batch;
}

export interface QueueEntry {
  readonly seq: number;
  /** how this subscriber gets it (granted QoS, flags, subscription identifiers), as the engine encoded it; less than 64 KiB */
  readonly head: Buffer;
  /** the message, as a record */
  readonly record: Buffer;
}

/** What happens exactly once: an incoming QoS 2 message of a session, or a session's will. */
export type Once =
  | { readonly kind: 'incoming'; readonly clientId: string; readonly epoch: number; readonly packetId: number }
  | { readonly kind: 'will'; readonly clientId: string; readonly epoch: number };

/** One append to a stream as part of something that happens once. */
export type OnceTarget =
  | { readonly kind: 'queue'; readonly queue: QueueRef; readonly head: Buffer; readonly record: Buffer }
  | StreamTarget;

export type OnceResult = { readonly word: 'ok'; readonly seqs: readonly number[] } | { readonly word: 'seen' | 'fenced' };

/**
 * The outgoing QoS 1 and 2 messages of each session, in order. Entries are numbered 1, 2, 3, ... by the store; the packet
 * identifier follows from the number: ((seq - 1) mod 65535) + 1.
 *
 * What has a `batch` is carried out at its commit; what it gave is read from its slot afterwards. The methods that take an
 * epoch do nothing under an old one (slot reads `fenced`).
 */
export interface Queues {
  ref(clientId: string): QueueRef;

  /**
   * Appends one message. Slot: `seq`, which is asked for once. The limits are kept by `tend`.
   */
  push(batch: Batch, queue: QueueRef, head: Buffer, record: Buffer): number;

  /** The number the message got, or 0 when the session is no more (nothing was stored, nothing was resurrected). */
  seq(batch: Batch, queue: QueueRef, slot: number): number;

  /** Whether there is work for `tend`. */
  readonly wantsTending: boolean;

  /**
   * Keeps queues within their limits that earlier pushes may have filled: those that nobody serves, for a queue that is served
   * is kept within them by its owner. The oldest or the newest messages go; what may have been sent to the client stays, and
   * counts. A queue may hold up to a 64th more messages than its limit, and those of one commit. Null: nothing to do.
   */
  tend(batch: Batch): Tending | null;

  /** Looks at a queue that was full, with the next `tend`, unless that was done less than a second ago. */
  lookAgain(queue: QueueRef): void;

  /** What was dropped, once the batch is committed. */
  tended(tending: Tending): QueueDrop[];

  /** How many messages the queue holds, sent or not. */
  size(queue: QueueRef): Promise<number>;

  /** Asks for the number that the queue gave last. Slot: `lastSeq`. */
  last(batch: Batch, queue: QueueRef): number;

  /** That number, 0 when there is no queue. */
  lastSeq(batch: Batch, slot: number): number;

  /** Removes acknowledged messages (PUBACK, or PUBCOMP without a record of the PUBREC). Slot: `owned`. */
  acknowledge(batch: Batch, queue: QueueRef, epoch: number, seqs: readonly number[]): number;

  /** Removes messages and notes their packet identifiers as released, in one step (PUBREC). Slot: `owned`. */
  receive(batch: Batch, queue: QueueRef, epoch: number, seqs: readonly number[]): number;

  /** Forgets released identifiers (PUBCOMP). Slot: `owned`. */
  complete(batch: Batch, queue: QueueRef, epoch: number, packetIds: readonly number[]): number;

  /**
   * Does all appends and notes that it did, in one step, unless that was noted before or the epoch is old: an incoming QoS 2
   * message (noted by its packet identifier until `forget`), or a will (which is thereby taken). Slot: `once`.
   */
  pushOnce(batch: Batch, once: Once, targets: readonly OnceTarget[]): number;

  /** `ok` with the sequence number for each target (0 where it is no queue, or the session is no more), `seen`, or `fenced`. */
  once(batch: Batch, targets: readonly OnceTarget[], slot: number): OnceResult;

  /** Forgets incoming QoS 2 identifiers (PUBREL). Slot: `owned`. */
  forget(batch: Batch, queue: QueueRef, epoch: number, packetIds: readonly number[]): number;

  owned(batch: Batch, slot: number): 'ok' | 'fenced';

  /** The entries from number `from` on, in order, at most `count` of them; fewer means: to the end. */
  read(queue: QueueRef, from: number, count: number): Promise<QueueEntry[]>;
}
