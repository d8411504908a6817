import type { Batch } from '../../base/batch.ts';
import { noBytes } from '../../base/message.ts';
import type { RedisBatch } from '../../redis/batch.ts';
import type { RedisLink } from '../../redis/connect.ts';
import { answer, Script } from '../../redis/script.ts';
import { ripe } from './due.ts';
import { bytesOf, corrupt, listOf, numberOf, textOf } from './replies.ts';
import type { Retained, RetainedLimits, RetainedSize, RetainedWalk } from '../retained.ts';

const put = new Script(new URL('./lua/retained_put.lua', import.meta.url), {
  keys: ['messages', 'by_topic', 'by_last', 'due', 'bytes'],
  args: ['topic', 'place_by_topic', 'place_by_last', 'record', 'expires_at', 'max_messages', 'max_bytes'],
});
const remove = new Script(new URL('./lua/retained_remove.lua', import.meta.url), {
  keys: ['messages', 'by_topic', 'by_last', 'due', 'bytes'],
  args: ['topic', 'place_by_topic', 'place_by_last'],
});
const expire = new Script(new URL('./lua/retained_expire.lua', import.meta.url), {
  keys: ['messages', 'by_topic', 'by_last', 'due', 'bytes'],
  args: ['topic', 'place_by_topic', 'place_by_last'],
});
const scan = new Script(new URL('./lua/retained_scan.lua', import.meta.url), {
  keys: ['messages', 'by_topic', 'by_last'],
  args: ['filter', 'from', 'most_steps', 'most_messages', 'most_bytes'],
});

/** One call of the scan keeps Redis busy for about a millisecond at most. */
const page = { most_steps: 200, most_messages: 100, most_bytes: 256 * 1024 };

type RetainedKeys = Readonly<Record<'messages' | 'by_topic' | 'by_last' | 'due' | 'bytes', string>>;

export class RedisRetained implements Retained {
  readonly #link: RedisLink;
  readonly #limits: { readonly max_messages: number; readonly max_bytes: number };
  readonly #keys: RetainedKeys;

  constructor(link: RedisLink, limits: RetainedLimits) {
    this.#link = link;
    this.#limits = { max_messages: limits.maxMessages, max_bytes: limits.maxBytes };
    const { keys } = link;
    this.#keys = {
      messages: keys.retained('messages'),
      by_topic: keys.retained('by-topic'),
      by_last: keys.retained('by-last'),
      due: keys.retained('due'),
      bytes: keys.retained('bytes'),
    };
  }

  put(batch: Batch, topic: string, record: Buffer | null, expiresAt: number): number {
    const places = placesOf(topic);
    if (record === null) return remove.append(batch as RedisBatch, this.#keys, { topic, ...places });
    return put.append(batch as RedisBatch, this.#keys, { topic, ...places, record, expires_at: expiresAt, ...this.#limits });
  }

  outcome(batch: Batch, slot: number): 'ok' | 'full' {
    const reply = (batch as RedisBatch).reply(slot);
    const { word } = answer(reply);
    if (word === 'ok' || word === 'full') return word;
    throw corrupt('ok or full', reply);
  }

  async get(topic: string): Promise<Buffer | null> {
    const record = await this.#link.command('HGET', this.#keys.messages, topic);
    return record === null ? null : bytesOf(record);
  }

  match(filter: string): RetainedWalk {
    let from: Buffer | null = noBytes;
    return {
      next: async () => {
        if (from === null) return null;
        const [next, records] = answer(await scan.run(this.#link, this.#keys, { filter, from, ...page })).rest;
        const place = bytesOf(next);
        from = place.length > 0 ? place : null;
        return listOf(records).map(bytesOf);
      },
    };
  }

  async expire(count: number): Promise<number> {
    const topics = listOf(answer(await ripe.run(this.#link, { due: this.#keys.due }, { count })).rest[0]).map(textOf);
    await Promise.all(topics.map((topic) => expire.run(this.#link, this.#keys, { topic, ...placesOf(topic) })));
    return topics.length;
  }

  async measure(): Promise<RetainedSize> {
    const { messages, bytes } = this.#keys;
    const [count, sum] = await Promise.all([this.#link.command('HLEN', messages), this.#link.command('GET', bytes)]);
    return { messages: numberOf(count), bytes: sum === null ? 0 : Number(textOf(sum)) };
  }
}

/** Where a topic stands in the two indexes: behind its number of levels by itself, and with its last level first. */
function placesOf(topic: string): { place_by_topic: string; place_by_last: string } {
  let levels = 1;
  let last = 0;
  for (let slash = topic.indexOf('/'); slash >= 0; slash = topic.indexOf('/', last)) {
    levels++;
    last = slash + 1;
  }
  const depth = String(levels).padStart(5, '0');
  const byLast = last === 0 ? topic : `${topic.slice(last)}/${topic.slice(0, last - 1)}`;
  return { place_by_topic: `${depth}/${topic}`, place_by_last: `${depth}/${byLast}` };
}
