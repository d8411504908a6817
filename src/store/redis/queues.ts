import type { Batch } from '../../base/batch.ts';
import { silentLog, type Logger } from '../../base/log.ts';
import { encodeParts, type Encoded, type RedisBatch, type Reply } from '../../redis/batch.ts';
import type { RedisLink } from '../../redis/connect.ts';
import { answer, Script } from '../../redis/script.ts';
import { OnceOnShards, type Append } from './once-on-shards.ts';
import { corrupt, listOf, numberOf, ownedOf } from './replies.ts';
import { QueueBound } from './queue-bound.ts';
import type { Once, OnceResult, OnceTarget, QueueDrop, QueueEntry, QueueRef, Queues, Tending } from '../queues.ts';
import type { QueueLimits } from '../store.ts';
import type { Owned } from '../sessions.ts';

const trimNames = { keys: ['meta', 'queue'], args: ['most', 'window'] } as const;
const trimOldest = new Script(new URL('./lua/queue_trim_oldest.lua', import.meta.url), trimNames);
const trimNewest = new Script(new URL('./lua/queue_trim_newest.lua', import.meta.url), trimNames);
const acknowledge = new Script(new URL('./lua/queue_acknowledge.lua', import.meta.url), {
  keys: ['meta', 'queue'],
  args: ['epoch', 'ids...'],
});
const receive = new Script(new URL('./lua/queue_receive.lua', import.meta.url), {
  keys: ['meta', 'queue', 'released'],
  args: ['epoch', 'seqs...'],
});
const complete = new Script(new URL('./lua/queue_complete.lua', import.meta.url), {
  keys: ['meta', 'released'],
  args: ['epoch', 'packet_ids...'],
});
const forget = new Script(new URL('./lua/incoming_forget.lua', import.meta.url), {
  keys: ['meta', 'incoming'],
  args: ['epoch', 'packet_ids...'],
});
const last = new Script(new URL('./lua/queue_last.lua', import.meta.url), { keys: ['queue'], args: [] });
const pushOnce = new Script(new URL('./lua/queue_push_once.lua', import.meta.url), {
  keys: ['meta', 'incoming', 'targets...'],
  args: ['epoch', 'packet_id', 'appends...'],
});
const fireWill = new Script(new URL('./lua/will_fire.lua', import.meta.url), {
  keys: ['meta', 'targets...'],
  args: ['epoch', 'appends...'],
});

const field = 'm';

/** The append is encoded once but for its last part: `XADD <key> NOMKSTREAM MAXLEN ~ <most> 1-* m <value>`. */
class RedisQueueRef implements QueueRef {
  readonly clientId: string;
  readonly append: Encoded;
  readonly bound: QueueBound;
  readonly #bounds: ReadonlyMap<string, QueueBound>;

  constructor(bound: QueueBound, bounds: ReadonlyMap<string, QueueBound>, key: string, most: number) {
    this.clientId = bound.clientId;
    this.bound = bound;
    this.#bounds = bounds;
    this.append = encodeParts(9, 'XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', String(most), '1-*', field);
  }

  /** The bound of the last look, which another ref may have caused. */
  get lastLooked(): QueueBound {
    return this.#bounds.get(this.clientId) ?? this.bound;
  }

  get isFull(): boolean {
    return this.lastLooked.isFull;
  }
}

/** A look at a queue, in its slots; `bytes` -1: not asked. */
interface Look {
  readonly bound: QueueBound;
  readonly trim: number;
  readonly bytes: number;
}

class RedisTending implements Tending {
  readonly batch: RedisBatch;
  readonly looks: Look[] = [];

  constructor(batch: RedisBatch) {
    this.batch = batch;
  }
}

/** Queues that are looked at in one commit; the others have their turn in the next. */
const looksAtOnce = 500;
/** What is known of so many queues outlives their refs. */
const boundsKept = 100_000;
/** How many blocks of a queue are measured: of 4 KiB, or one message that is larger. */
const blocksMeasured = 1_000;

/** A queue's value in Redis is the length of the head in two bytes, the head, the record. */
export class RedisQueues implements Queues {
  readonly #link: RedisLink;
  readonly #limits: QueueLimits;
  /** Redis itself cuts a queue off here, were its owner to fail to: behind all that can wait or be on its way. */
  readonly #most: number;
  readonly #log: Logger;
  /** of queues that were looked at */
  readonly #bounds = new Map<string, QueueBound>();
  #due = new Set<QueueBound>();

  constructor(link: RedisLink, limits: QueueLimits, log: Logger = silentLog) {
    this.#link = link;
    this.#limits = limits;
    this.#most = 2 * limits.maxMessages + 65_535;
    this.#log = log;
  }

  ref(clientId: string): QueueRef {
    const bound = this.#bounds.get(clientId) ?? new QueueBound(clientId, this.#limits);
    return new RedisQueueRef(bound, this.#bounds, this.#link.keys.queue(clientId), this.#most);
  }

  push(batch: Batch, queue: QueueRef, head: Buffer, record: Buffer): number {
    const { append, bound } = queue as RedisQueueRef;
    bound.pushes(head.length + record.length);
    const slot = (batch as RedisBatch).begin(append);
    (batch as RedisBatch).framed(head, record);
    return slot;
  }

  seq(batch: Batch, queue: QueueRef, slot: number): number {
    const seq = (batch as RedisBatch).seq(slot);
    const { bound } = queue as RedisQueueRef;
    if (bound.passes(seq)) this.#due.add(bound);
    return seq;
  }

  get wantsTending(): boolean {
    return this.#due.size > 0;
  }

  tend(batch: Batch): Tending | null {
    if (this.#due.size === 0) return null;
    const tending = new RedisTending(batch as RedisBatch);
    for (const bound of this.#due) {
      if (tending.looks.length === looksAtOnce) break;
      this.#due.delete(bound);
      tending.looks.push(this.#look(batch as RedisBatch, bound));
    }
    return tending;
  }

  tended(tending: Tending): QueueDrop[] {
    const { batch, looks } = tending as RedisTending;
    const drops: QueueDrop[] = [];
    for (const look of looks) {
      const { bound } = look;
      try {
        const [dropped, left] = answer(batch.reply(look.trim)).rest.map(numberOf) as [number, number];
        if (dropped > 0) drops.push({ clientId: bound.clientId, limit: bound.limitedBy, count: dropped });
        const bytes = look.bytes < 0 ? null : batch.reply(look.bytes);
        const isOver = bound.looked(left, typeof bytes === 'number' ? bytes : null);
        if (isOver || (dropped > 0 && left > bound.most)) this.#due.add(bound);
        if (this.#bounds.size >= boundsKept) this.#bounds.clear();
        this.#bounds.set(bound.clientId, bound);
      } catch (error) {
        this.#log.warn({ client: bound.clientId, error: String(error) }, 'a queue could not be looked at');
      }
    }
    return drops;
  }

  lookAgain(queue: QueueRef): void {
    const { lastLooked } = queue as RedisQueueRef;
    if (lastLooked.isOutdated) this.#due.add(lastLooked);
  }

  #look(batch: RedisBatch, bound: QueueBound): Look {
    const { keys } = this.#link;
    const queue = keys.queue(bound.clientId);
    const trim = (this.#limits.dropsNewest ? trimNewest : trimOldest).append(
      batch,
      { meta: keys.session(bound.clientId), queue },
      { most: bound.most, window: this.#limits.window },
    );
    const bytes = bound.wantsBytes ? batch.add('MEMORY', 'USAGE', queue, 'SAMPLES', blocksMeasured) : -1;
    return { bound, trim, bytes };
  }

  async size({ clientId }: QueueRef): Promise<number> {
    return numberOf(await this.#link.command('XLEN', this.#link.keys.queue(clientId)));
  }

  last(batch: Batch, { clientId }: QueueRef): number {
    return last.append(batch as RedisBatch, { queue: this.#link.keys.queue(clientId) }, {});
  }

  lastSeq(batch: Batch, slot: number): number {
    return numberOf(answer((batch as RedisBatch).reply(slot)).rest[0]);
  }

  acknowledge(batch: Batch, { clientId }: QueueRef, epoch: number, seqs: readonly number[]): number {
    const { keys } = this.#link;
    const ids = seqs.map((seq) => `1-${seq}`);
    return (batch as RedisBatch).frees(acknowledge.append(batch as RedisBatch, { meta: keys.session(clientId), queue: keys.queue(clientId) }, { epoch, ids }));
  }

  receive(batch: Batch, { clientId }: QueueRef, epoch: number, seqs: readonly number[]): number {
    const { keys } = this.#link;
    const { meta, queue, released } = { meta: keys.session(clientId), queue: keys.queue(clientId), released: keys.released(clientId) };
    return (batch as RedisBatch).frees(receive.append(batch as RedisBatch, { meta, queue, released }, { epoch, seqs }));
  }

  complete(batch: Batch, { clientId }: QueueRef, epoch: number, packetIds: readonly number[]): number {
    const { keys } = this.#link;
    const released = keys.released(clientId);
    return (batch as RedisBatch).frees(complete.append(batch as RedisBatch, { meta: keys.session(clientId), released }, { epoch, packet_ids: packetIds }));
  }

  forget(batch: Batch, { clientId }: QueueRef, epoch: number, packetIds: readonly number[]): number {
    const { keys } = this.#link;
    const incoming = keys.incoming(clientId);
    return (batch as RedisBatch).frees(forget.append(batch as RedisBatch, { meta: keys.session(clientId), incoming }, { epoch, packet_ids: packetIds }));
  }

  pushOnce(batch: Batch, once: Once, targets: readonly OnceTarget[]): number {
    const { keys } = this.#link;
    if (this.#link.isSharded) return this.#pushOnShards(batch as RedisBatch, once, targets);
    const meta = keys.session(once.clientId);
    const places = targets.map((target) => (target.kind === 'queue' ? keys.queue(target.queue.clientId) : target.key));
    const appends = targets.flatMap((target) =>
      target.kind === 'queue'
        ? [0, '1-*', this.#most, field, framed(target.head, target.record)]
        : [target.isMade ? 1 : 0, '*', target.maxEntries, target.field, target.value],
    );
    const { epoch } = once;
    if (once.kind === 'will') return fireWill.append(batch as RedisBatch, { meta, targets: places }, { epoch, appends });
    const incoming = keys.incoming(once.clientId);
    return pushOnce.append(batch as RedisBatch, { meta, incoming, targets: places }, { epoch, packet_id: once.packetId, appends });
  }

  once(batch: Batch, targets: readonly OnceTarget[], slot: number): OnceResult {
    const onShards = (batch as RedisBatch).attached(slot) as OnceOnShards | undefined;
    const result = onShards?.result ?? onceOf((batch as RedisBatch).reply(slot));
    if (result.word === 'ok') {
      targets.forEach((target, i) => {
        if (target.kind !== 'queue') return;
        const { bound } = target.queue as RedisQueueRef;
        bound.pushes(target.head.length + target.record.length);
        if (bound.passes(result.seqs[i]!)) this.#due.add(bound);
      });
    }
    return result;
  }

  #pushOnShards(batch: RedisBatch, once: Once, targets: readonly OnceTarget[]): number {
    const appends = targets.map((target): Append =>
      target.kind === 'queue'
        ? { target: this.#link.keys.queue(target.queue.clientId), make: 0, id: '1-*', most: this.#most, field, value: framed(target.head, target.record) }
        : { target: target.key, make: target.isMade ? 1 : 0, id: '*', most: target.maxEntries, field: target.field, value: target.value },
    );
    const onShards = new OnceOnShards(batch, this.#link.keys, once, appends);
    const slot = onShards.begin();
    batch.attach(slot, onShards);
    return slot;
  }

  owned(batch: Batch, slot: number): Owned {
    return ownedOf((batch as RedisBatch).reply(slot));
  }

  async read(queue: QueueRef, from: number, count: number): Promise<QueueEntry[]> {
    const key = this.#link.keys.queue(queue.clientId);
    const entries: QueueEntry[] = [];
    let start = `1-${from}`;
    while (entries.length < count) {
      const wanted = count - entries.length;
      const found = listOf(await this.#link.command('XRANGE', key, start, '+', 'COUNT', wanted));
      for (const item of found) {
        const entry = entryOf(item);
        if (entry === null) this.#log.warn({ client: queue.clientId, entry: String(listOf(item)[0]) }, 'passed over a queue entry that is none of ours');
        else entries.push(entry);
      }
      // what was passed over is made up for: fewer than asked for means the end
      if (found.length < wanted) break;
      start = `(${String(listOf(found.at(-1))[0])}`;
    }
    return entries;
  }
}

function onceOf(reply: Reply): OnceResult {
  const { word, rest } = answer(reply);
  if (word === 'ok') return { word, seqs: listOf(rest[0]).map(numberOf) };
  if (word === 'seen' || word === 'fenced') return { word };
  throw corrupt('ok, seen or fenced', reply);
}

function framed(head: Buffer, record: Buffer): Buffer {
  const value = Buffer.allocUnsafe(2 + head.length + record.length);
  record.copy(value, head.copy(value, value.writeUInt16BE(head.length)) + 2);
  return value;
}

/** `[id, [field, value]]` as XRANGE gives it; null when it is not of our form. */
function entryOf(item: Reply): QueueEntry | null {
  const [id, fields] = listOf(item);
  const seq = id instanceof Buffer ? /^1-(\d+)$/.exec(id.toString('latin1'))?.[1] : undefined;
  if (seq === undefined || !Array.isArray(fields) || fields.length !== 2) return null;
  const value = fields[1];
  if (!(value instanceof Buffer) || value.length < 2) return null;
  const recordAt = 2 + value.readUInt16BE(0);
  if (recordAt > value.length) return null;
  return { seq: Number(seq), head: value.subarray(2, recordAt), record: value.subarray(recordAt) };
}
