import type { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import mqemitterRedis from 'mqemitter-redis';
import type { Logger } from '../src/base/log.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import type { Incarnation } from './cluster.ts';

/** A word from another node: what it said, and about what. */
export type Hear = (word: string, body: unknown, from: Incarnation) => void;

type Emitter = ReturnType<typeof mqemitterRedis>;
type Listener = Parameters<Emitter['on']>[1];

const patienceMs = 500;

/**
 * Words between nodes, each at most once and perhaps never: one channel for each life and one for all. Whatever must
 * happen is written in Redis as well; a word only makes it happen sooner.
 */
export class ControlBus {
  readonly #link: RedisLink;
  readonly #log: Logger;
  readonly #hear: Hear;
  readonly #words: ReturnType<RedisLink['blocking']>;
  readonly #ways: ReturnType<RedisLink['blocking']>;
  readonly #emitter: Emitter;
  readonly #onMessage: Listener;
  readonly #channels = new Set<string>();
  #self: Incarnation = '';

  constructor(link: RedisLink, log: Logger, hear: Hear) {
    this.#link = link;
    this.#log = log;
    this.#hear = hear;
    const channel = this.#channel(null);
    this.#words = link.blocking(channel);
    this.#ways = link.blocking(channel);
    // Subscriptions are renewed below: done by the client library, a failure would be nobody's and end the process.
    this.#words.options.autoResubscribe = false;
    this.#emitter = mqemitterRedis({ subConn: this.#words, pubConn: this.#ways });
    this.#guard();
    this.#words.on('ready', () => {
      if (this.#channels.size > 0) this.#words.subscribe(...this.#channels).catch(() => undefined);
    });
    this.#onMessage = (message, done) => {
      done();
      this.#receive(message);
    };
  }

  /** Listens as this life, and no longer as the one before. Resolves once words arrive, or after a while without an answer. */
  async listen(incarnation: Incarnation): Promise<void> {
    const former = this.#self;
    this.#self = incarnation;
    // Subscribed between connecting and the client library's own first question, the connection fails and starts again.
    if (this.#words.status !== 'ready') await this.#patiently((resolve) => this.#words.once('ready', resolve));
    if (former === '') this.#subscribe(this.#channel(null));
    else this.#unsubscribe(this.#channel(former));
    await this.#patiently((resolve) => {
      this.#subscribe(this.#channel(incarnation), resolve);
    });
  }

  /** Sends a word to one life, or to all, this node included. */
  tell(to: Incarnation | null, word: string, body: unknown): void {
    const json = JSON.stringify({ from: this.#self, word, body });
    this.#emitter.emit({ topic: this.#channel(to), json }, (error) => {
      if (error) this.#log.debug({ to, word, error: error.message }, 'a word to another node was lost');
    });
  }

  /** Whether the life listens. A process that ended does not, from the moment Redis sees its connection close. */
  async isHeardBy(incarnation: Incarnation): Promise<boolean> {
    const reply = await this.#link.command('PUBSUB', 'NUMSUB', this.#channel(incarnation));
    return Array.isArray(reply) && reply[1] !== 0;
  }

  close(): void {
    // Not the emitter's own close: it sends QUIT, and a QUIT that fails would be a rejection that nobody handles.
    this.#words.disconnect();
    this.#ways.disconnect();
  }

  #patiently(begin: (resolve: () => void) => void): Promise<unknown> {
    return Promise.race([new Promise<void>(begin), pause(patienceMs, undefined, { ref: false })]);
  }

  #subscribe(channel: string, done: () => void = () => undefined): void {
    this.#channels.add(channel);
    this.#emitter.on(channel, this.#onMessage, done);
  }

  #unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    this.#emitter.removeListener(channel, this.#onMessage, () => undefined);
  }

  #receive(message: Readonly<Record<string, unknown>>): void {
    let said: unknown;
    try {
      said = JSON.parse(String(message['json']));
    } catch {
      said = null;
    }
    if (typeof said !== 'object' || said === null || !('word' in said) || !('from' in said)) {
      this.#log.debug('a word on the control bus was not understood');
      return;
    }
    const { word, from } = said;
    if (typeof word === 'string' && typeof from === 'string') this.#hear(word, 'body' in said ? said.body : null, from);
  }

  /** Bytes that are no message make the emitter throw in the middle of the connection's reading: they are dropped before. */
  #guard(): void {
    const { state } = this.#emitter as unknown as { state: EventEmitter };
    state.on('error', (error: Error) => {
      this.#log.debug({ error: error.message }, 'the control bus is interrupted');
    });
    const listeners = this.#words.listeners('messageBuffer') as ((channel: Buffer, message: Buffer) => void)[];
    this.#words.removeAllListeners('messageBuffer');
    this.#words.on('messageBuffer', (channel: Buffer, message: Buffer) => {
      try {
        for (const listener of listeners) listener(channel, message);
      } catch (error) {
        this.#log.debug({ error: String(error) }, 'a message on the control bus was none');
      }
    });
  }

  /**
   * The channel of a life, or of all. It holds no character with a meaning in patterns. All share a hash tag: in a Redis
   * Cluster every node listens and asks on one and the same server, which therefore knows who is heard.
   */
  #channel(to: Incarnation | null): string {
    const { prefix } = this.#link.keys;
    return `${encode(prefix)}{control}:${encode(to ?? 'all')}`;
  }
}

function encode(part: string): string {
  return part.replace(/[^A-Za-z0-9_.:-]/g, (c) => '%' + c.charCodeAt(0).toString(16).padStart(4, '0'));
}
