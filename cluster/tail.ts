import type { Reply } from '../src/redis/batch.ts';
import type { RedisLink } from '../src/redis/connect.ts';

export type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]];

const blockMs = 2000;

/** The end of a stream, listened to on a connection of its own, which comes back by itself. */
export class Tail {
  readonly #link: RedisLink;
  readonly #key: string;
  readonly #redis: ReturnType<RedisLink['blocking']>;

  /** `onAnew` is called when the connection was made again, perhaps to another server. */
  constructor(link: RedisLink, key: string, onAnew: () => void = () => undefined) {
    this.#link = link;
    this.#key = key;
    this.#redis = link.blocking(key);
    this.#redis.once('ready', () => this.#redis.on('ready', onAnew));
  }

  /** The entries after `last`, at most `count`, as soon as there are any; none when none came for two seconds. */
  async next(last: string, count: number): Promise<readonly StreamEntry[]> {
    // A connection that died without a word would block for ever.
    const watchdog = setTimeout(() => {
      if (this.#redis.status === 'ready') this.#redis.disconnect(true);
    }, blockMs + this.#link.settings.commandTimeoutMs).unref();
    try {
      const reply = (await this.#redis.callBuffer('XREAD', 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', this.#key, last)) as Reply;
      return reply === null ? [] : (reply as unknown as [[Buffer, StreamEntry[]]])[0][1];
    } catch (error) {
      if (error instanceof Error && /^(MOVED|ASK) /.test(error.message)) this.#link.astray();
      throw error;
    } finally {
      clearTimeout(watchdog);
    }
  }

  end(): void {
    this.#redis.disconnect();
  }
}
