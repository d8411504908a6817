import type { Reply } from '../src/redis/batch.ts';
import type { RedisLink } from '../src/redis/connect.ts';

export type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]];

const blockMs = 2000;

/** The end of a stream, listened to on a connection of its own, which comes back by itself. */
export class Tail {
  readonly #link: RedisLink;
  readonly #key: string;
  readonly #redis: ReturnType<RedisLink['blocking']>;

  constructor(link: RedisLink, key: string) {
    this.#link = link;
    this.#key = key;
    this.#redis = link.blocking();
  }

  /** The entries after `last`, at most `count`, as soon as there are any; none when none came for two seconds. */
  async next(last: string, count: number): Promise<readonly StreamEntry[]> {
    // A connection that died without a word would block for ever.
    const watchdog = setTimeout(() => {
      this.#redis.disconnect(true);
    }, blockMs + this.#link.settings.commandTimeoutMs).unref();
    try {
      const reply = (await this.#redis.callBuffer('XREAD', 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', this.#key, last)) as Reply;
      return reply === null ? [] : (reply as unknown as [[Buffer, StreamEntry[]]])[0][1];
    } finally {
      clearTimeout(watchdog);
    }
  }

  end(): void {
    this.#redis.disconnect();
  }
}
