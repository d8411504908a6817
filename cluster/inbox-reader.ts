import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../src/base/clock.ts';
import { LogLimiter, type Logger } from '../src/base/log.ts';
import type { Metrics } from '../src/base/metrics.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import type { ClusterHandlers, Incarnation } from './cluster.ts';
import { inboxField, type InboxCounters } from './inbox.ts';
import { Repeats } from './repeats.ts';
import { Tail, type StreamEntry } from './tail.ts';
import { readEntry } from './wire.ts';

const entriesAtOnce = 64;
const trimEvery = 64;
const retryMs = 100;

type Receive = ClusterHandlers['receive'];

export interface InboxReaderOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: InboxCounters;
}

/**
 * The reading side of this node's inbox, one life after the other. Entries are handed over in order, one at a time; what
 * was handed over is trimmed from the stream some time later.
 */
export class InboxReader {
  readonly #link: RedisLink;
  readonly #options: InboxReaderOptions;
  readonly #limiter = new LogLimiter();
  #life: Life | null = null;
  #unread = 0;
  readonly #repeats = new Repeats();

  constructor(link: RedisLink, options: InboxReaderOptions, metrics: Metrics) {
    this.#link = link;
    this.#options = options;
    metrics.gauge('swarmq_inbox_depth', 'Entries that wait in the inbox, as of the last look', () => this.#unread);
  }

  /** Makes the inbox of a new life, empty, so that it can be written to. */
  async create(incarnation: Incarnation): Promise<void> {
    await this.#link.command('XADD', this.#link.keys.inbox(incarnation), 'MAXLEN', 0, '0-1', inboxField, '');
  }

  /** Begins to read the inbox of this life, and stops reading the one before. */
  begin(incarnation: Incarnation, receive: Receive): void {
    this.end();
    const key = this.#link.keys.inbox(incarnation);
    const life: Life = { key, tail: new Tail(this.#link, key), isOver: false };
    this.#life = life;
    this.#unread = 0;
    void this.#read(life, receive);
  }

  end(): void {
    if (this.#life === null) return;
    this.#life.isOver = true;
    this.#life.tail.end();
    this.#life = null;
  }

  async #read(life: Life, receive: Receive): Promise<void> {
    let last = '0-0';
    let sinceTrim = 0;
    while (!life.isOver) {
      let entries: readonly StreamEntry[];
      try {
        entries = await life.tail.next(last, entriesAtOnce);
      } catch (error) {
        this.#options.log.debug({ error: String(error) }, 'the inbox could not be read: trying again');
        await pause(retryMs, undefined, { ref: false });
        continue;
      }
      for (const [id, fields] of entries) {
        if (life.isOver) return;
        last = id.toString();
        sinceTrim++;
        await this.#handOver(fields[1] ?? Buffer.alloc(0), receive);
      }
      if (sinceTrim >= trimEvery || (entries.length === 0 && sinceTrim > 0)) {
        sinceTrim = 0;
        this.#trim(life, last);
      }
    }
  }

  async #handOver(value: Buffer, receive: Receive): Promise<void> {
    const { counters } = this.#options;
    const entry = readEntry(value);
    if (entry === 'garbage' || entry === 'newer') {
      counters.garbage.value++;
      const hint =
        entry === 'newer'
          ? 'an inbox entry of a newer version was skipped: bring all nodes to the same release'
          : 'an inbox entry that is none was skipped: does something else write to our keys?';
      this.#warn(entry, { bytes: value.length }, hint);
      return;
    }
    if (this.#repeats.has(entry.sender, entry.number)) {
      counters.repeated.value++;
      return;
    }
    counters.received.value += entry.frames.length;
    try {
      await receive(entry.frames);
    } catch (error) {
      this.#warn('failed', { sender: entry.sender, error: String(error) }, 'frames of another node could not be handled');
    }
  }

  #warn(key: string, fields: object, text: string): void {
    const held = this.#limiter.pass(key, this.#options.clock.monotonic());
    if (held >= 0) this.#options.log.warn({ ...fields, held }, text);
  }

  /** Removes all entries up to `last`; nobody waits for it, for the next trim does the same and more. */
  #trim(life: Life, last: string): void {
    const dash = last.indexOf('-');
    const next = `${last.slice(0, dash)}-${BigInt(last.slice(dash + 1)) + 1n}`;
    Promise.all([this.#link.command('XTRIM', life.key, 'MINID', next), this.#link.command('XLEN', life.key)]).then(
      ([, length]) => {
        this.#unread = Number(length);
      },
      (error: unknown) => {
        this.#options.log.debug({ error: String(error) }, 'the inbox was not trimmed: the next time will do');
      },
    );
  }
}

interface Life {
  readonly key: string;
  readonly tail: Tail;
  isOver: boolean;
}
