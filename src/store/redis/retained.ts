import type { Batch } from '../../base/batch.ts';
import { noBytes } from '../../base/message.ts';
import { hasWildcard } from '../../base/topic.ts';
import type { RedisBatch } from '../../redis/batch.ts';
import type { RedisLink } from '../../redis/connect.ts';
import { answer, Script } from '../../redis/script.ts';
import { bytesOf, listOf, numberOf } from './replies.ts';
import type { Retained } from '../retained.ts';

const put = new Script(new URL('./lua/retained_put.lua', import.meta.url), {
  keys: ['messages', 'topics'],
  args: ['topic', 'record'],
});
const remove = new Script(new URL('./lua/retained_remove.lua', import.meta.url), {
  keys: ['messages', 'topics'],
  args: ['topic'],
});
const scan = new Script(new URL('./lua/retained_scan.lua', import.meta.url), {
  keys: ['messages', 'topics'],
  args: ['filter', 'from', 'most_steps', 'most_messages', 'most_bytes'],
});

/** One call of the scan keeps Redis busy for less than about a millisecond. */
const page = { most_steps: 300, most_messages: 100, most_bytes: 256 * 1024 };

export class RedisRetained implements Retained {
  readonly #link: RedisLink;
  readonly #keys: { readonly messages: string; readonly topics: string };

  constructor(link: RedisLink) {
    this.#link = link;
    this.#keys = { messages: link.keys.retained(), topics: link.keys.retainedIndex() };
  }

  put(batch: Batch, topic: string, record: Buffer | null): void {
    if (record === null) remove.append(batch as RedisBatch, this.#keys, { topic });
    else put.append(batch as RedisBatch, this.#keys, { topic, record });
  }

  async *match(filter: string): AsyncIterable<Buffer[]> {
    if (!hasWildcard(filter)) {
      const record = await this.#link.command('HGET', this.#keys.messages, filter);
      if (record !== null) yield [bytesOf(record)];
      return;
    }
    let from: Buffer = noBytes;
    do {
      const reply = await scan.run(this.#link, this.#keys, { filter, from, ...page });
      const [next, records] = answer(reply).rest;
      from = bytesOf(next);
      yield listOf(records).map(bytesOf);
    } while (from.length > 0);
  }

  async count(): Promise<number> {
    return numberOf(await this.#link.command('HLEN', this.#keys.messages));
  }
}
