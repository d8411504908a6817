import type { Batch } from '../../base/batch.ts';
import { encodeParts, type Encoded, type RedisBatch, type Reply } from '../../redis/batch.ts';
import type { RedisLink } from '../../redis/connect.ts';
import { answer, Script } from '../../redis/script.ts';
import { bytesOf, listOf, numberOf, ownedOf, textOf } from './replies.ts';
import type { OutboxEntry, Outboxes, OutboxRef, StreamTarget } from '../outboxes.ts';

const lead = new Script(new URL('./lua/outbox_lead.lua', import.meta.url), {
  keys: ['leader', 'tokens'],
  args: ['node', 'lease_ms'],
});
const resign = new Script(new URL('./lua/outbox_resign.lua', import.meta.url), { keys: ['leader'], args: ['token'] });
const remove = new Script(new URL('./lua/outbox_remove.lua', import.meta.url), {
  keys: ['leader', 'outbox'],
  args: ['token', 'ids...'],
});

class RedisOutboxRef implements OutboxRef {
  readonly bridge: string;
  readonly shard: number;
  readonly key: string;
  readonly leader: string;
  readonly tokens: string;
  readonly append: Encoded;

  constructor(bridge: string, shard: number, { keys }: RedisLink, most: number) {
    this.bridge = bridge;
    this.shard = shard;
    this.key = keys.outbox(bridge, shard);
    this.leader = keys.outboxRole(bridge, shard);
    this.tokens = keys.outboxTokens(bridge, shard);
    this.append = encodeParts(8, 'XADD', this.key, 'MAXLEN', '~', String(most), '*');
  }
}

/** An entry's one field is the name of its rule, the value is the record. */
export class RedisOutboxes implements Outboxes {
  readonly #link: RedisLink;
  readonly #most: number;

  constructor(link: RedisLink, maxEntries: number) {
    this.#link = link;
    this.#most = maxEntries;
  }

  ref(bridge: string, shard: number): OutboxRef {
    return new RedisOutboxRef(bridge, shard, this.#link, this.#most);
  }

  push(batch: Batch, outbox: OutboxRef, rule: string, record: Buffer): number {
    const slot = (batch as RedisBatch).begin((outbox as RedisOutboxRef).append);
    (batch as RedisBatch).part(rule);
    (batch as RedisBatch).part(record);
    return slot;
  }

  target(outbox: OutboxRef, rule: string, record: Buffer): StreamTarget {
    return { kind: 'stream', isMade: true, key: (outbox as RedisOutboxRef).key, field: rule, value: record, maxEntries: this.#most };
  }

  measure(batch: Batch, outbox: OutboxRef): number {
    return (batch as RedisBatch).add('XLEN', (outbox as RedisOutboxRef).key);
  }

  length(batch: Batch, slot: number): number {
    return numberOf((batch as RedisBatch).reply(slot));
  }

  async lead(outbox: OutboxRef, node: string, leaseMs: number): Promise<number | null> {
    const { leader, tokens } = outbox as RedisOutboxRef;
    const { word, rest } = answer(await lead.run(this.#link, { leader, tokens }, { node, lease_ms: leaseMs }));
    return word === 'ok' ? numberOf(rest[0]) : null;
  }

  async resign(outbox: OutboxRef, token: number): Promise<void> {
    await resign.run(this.#link, { leader: (outbox as RedisOutboxRef).leader }, { token });
  }

  async read(outbox: OutboxRef, afterId: string, count: number): Promise<OutboxEntry[]> {
    const { key } = outbox as RedisOutboxRef;
    return listOf(await this.#link.command('XRANGE', key, afterId === '' ? '-' : `(${afterId}`, '+', 'COUNT', count)).map(entryOf);
  }

  async remove(outbox: OutboxRef, token: number, ids: readonly string[]): Promise<'ok' | 'fenced'> {
    const { leader, key } = outbox as RedisOutboxRef;
    return ownedOf(await remove.run(this.#link, { leader, outbox: key }, { token, ids }));
  }

  async size(outbox: OutboxRef): Promise<number> {
    return numberOf(await this.#link.command('XLEN', (outbox as RedisOutboxRef).key));
  }
}

function entryOf(item: Reply): OutboxEntry {
  const [id, fields] = listOf(item);
  const [rule, record] = listOf(fields);
  return { id: textOf(id), rule: textOf(rule), record: bytesOf(record) };
}
