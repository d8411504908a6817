import type { Batch } from '../src/base/batch.ts';
import type { Counter, Metrics } from '../src/base/metrics.ts';
import { encodeParts, type Encoded, type RedisBatch } from '../src/redis/batch.ts';
import type { Keys } from '../src/redis/keys.ts';
import type { Inbox, Incarnation } from './cluster.ts';
import { entryOpening, EntryWriter, largeBody } from './wire.ts';

/** The one field of an inbox entry. */
export const inboxField = 'f';

/** An entry that has grown so far is closed and the next one begun: a reader holds back between entries. */
const fullEntry = 256 * 1024;
const firstRoom = 1024;

export interface InboxCounters {
  readonly sent: Counter;
  readonly received: Counter;
  readonly garbage: Counter;
  readonly repeated: Counter;
}

export function inboxCounters(metrics: Metrics): InboxCounters {
  const frames = metrics.counters('swarmq_inbox_frames_total', 'Frames between nodes, in and out', 'direction');
  const garbage = metrics.counter('swarmq_inbox_garbage_total', 'Inbox entries that were skipped: garbage, or of a newer version');
  const repeated = metrics.counter('swarmq_inbox_repeats_total', 'Inbox entries that came a second time, because an answer of Redis was lost, and were skipped');
  return { repeated, sent: frames.of('out'), received: frames.of('in'), garbage };
}

interface Receiver {
  /** `XADD` up to the value, encoded once */
  readonly command: Encoded;
  /** how large the entries to this receiver get lately */
  room: number;
}

/**
 * The sending side of the inboxes: frames are collected per batch and receiver.
 *
 * An entry is added only to a stream that exists: the inbox of a life that ended is not made again.
 */
export class InboxSender implements Inbox {
  readonly #keys: Keys;
  readonly #maxEntries: number;
  readonly #sent: Counter;
  readonly #receivers = new Map<Incarnation, Receiver>();
  readonly #open = new Map<Batch, Map<Incarnation, EntryWriter>>();
  #opening: Buffer = Buffer.alloc(0);
  /** entries so far, of any life */
  #number = 0;

  constructor(keys: Keys, maxEntries: number, counters: InboxCounters) {
    this.#keys = keys;
    this.#maxEntries = maxEntries;
    this.#sent = counters.sent;
  }

  /** Sends as this life from now on. */
  begin(sender: Incarnation): void {
    this.#opening = entryOpening(sender);
  }

  send(batch: Batch, to: Incarnation, head: Buffer, body: Buffer | null): void {
    let entries = this.#open.get(batch);
    if (entries === undefined) this.#open.set(batch, (entries = new Map<Incarnation, EntryWriter>()));
    let entry = entries.get(to);
    if (entry === undefined) entries.set(to, (entry = new EntryWriter(this.#opening, ++this.#number, this.#receiver(to).room)));
    this.#sent.value++;
    if (body !== null && body.length > largeBody) {
      entry.addHead(head, body.length);
      this.#append(batch as RedisBatch, to, entry, body);
      entries.delete(to);
      return;
    }
    entry.add(head, body);
    if (entry.bytes < fullEntry) return;
    this.#append(batch as RedisBatch, to, entry, null);
    entries.delete(to);
  }

  seal(batch: Batch): void {
    const entries = this.#open.get(batch);
    if (entries === undefined) return;
    this.#open.delete(batch);
    for (const [to, entry] of entries) this.#append(batch as RedisBatch, to, entry, null);
  }

  target(to: Incarnation, head: Buffer, body: Buffer | null): ReturnType<Inbox['target']> {
    const entry = new EntryWriter(this.#opening, ++this.#number, this.#opening.length + 10 + head.length + (body?.length ?? 0));
    entry.add(head, body);
    this.#sent.value++;
    return { kind: 'stream', isMade: false, key: this.#keys.inbox(to), field: inboxField, value: entry.take(), maxEntries: this.#maxEntries };
  }

  #append(batch: RedisBatch, to: Incarnation, entry: EntryWriter, body: Buffer | null): void {
    const receiver = this.#receiver(to);
    receiver.room = Math.min(fullEntry, Math.max(firstRoom, entry.bytes * 2));
    batch.begin(receiver.command);
    batch.joined(entry.take(), body);
  }

  #receiver(to: Incarnation): Receiver {
    let receiver = this.#receivers.get(to);
    if (receiver === undefined) {
      // Lives come and go: rather than to follow them, the few that are in use are found again.
      if (this.#receivers.size >= 1000) this.#receivers.clear();
      const command = encodeParts(9, 'XADD', this.#keys.inbox(to), 'NOMKSTREAM', 'MAXLEN', '~', String(this.#maxEntries), '*', inboxField);
      this.#receivers.set(to, (receiver = { command, room: firstRoom }));
    }
    return receiver;
  }
}
