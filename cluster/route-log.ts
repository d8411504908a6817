import { setTimeout as pause } from 'node:timers/promises';
import type { Batch } from '../src/base/batch.ts';
import type { Logger } from '../src/base/log.ts';
import type { Counter, Metrics } from '../src/base/metrics.ts';
import { encodeParts, type RedisBatch, type Reply } from '../src/redis/batch.ts';
import type { RedisLink } from '../src/redis/connect.ts';
import type { RouteChange, Routes, RouteSink } from './cluster.ts';
import { optionsInLog, optionsInTable, RouteWriter } from './route-writer.ts';
import { Tail, type StreamEntry } from './tail.ts';

const entriesAtOnce = 1000;
const fieldsAtOnce = 1000;
const retryMs = 100;

export interface RouteLogOptions {
  /** about how many changes the log keeps; a node that is further behind takes the snapshot again */
  readonly maxEntries: number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * The routes in Redis: a table (the truth), and a log of its changes with ids `1-1`, `1-2`, ... without a gap.
 *
 * following  the sink is the table as of `#last`; news are applied in order, and what was applied before is passed over
 * behind     not so, or not for certain: nothing loaded yet, a gap was found, or the connection to Redis was made anew and
 *            the log may have lost its end in a failover. Only `load` and `catchUp` lead back
 *
 * Catching up reads on when the last change applied here still stands in the log at its place (so our history is a
 * beginning of the log's), and takes the snapshot otherwise.
 */
export class RouteLog implements Routes {
  readonly #link: RedisLink;
  readonly #options: RouteLogOptions;
  readonly #writer: RouteWriter;
  readonly #behind: Counter;
  #sink: RouteSink | null = null;
  #isFollowing = false;
  #catchingUp: Promise<void> | null = null;
  /** number of the last change applied, and the change itself */
  #last = 0;
  #lastFields: readonly Buffer[] = [];
  #readCommand: Buffer = Buffer.alloc(0);
  #tail: Tail | null = null;
  readonly #doubt = (): void => {
    this.#isFollowing = false;
  };

  constructor(link: RedisLink, options: RouteLogOptions) {
    this.#link = link;
    this.#options = options;
    this.#writer = new RouteWriter(link, options.maxEntries, (changes, seq) => {
      this.#written(changes, seq);
    });
    this.#behind = options.metrics.counter('swarmq_route_log_behind_total', 'Times that the snapshot of the routes was taken again');
    this.#reached(0, []);
  }

  async load(sink: RouteSink): Promise<void> {
    while (this.#catchingUp !== null) await this.#catchingUp.catch(() => undefined);
    this.#sink = sink;
    await this.#alone(() => this.#snapshot(sink));
    if (this.#tail !== null) return;
    this.#link.client.on('ready', this.#doubt);
    this.#tail = new Tail(this.#link, this.#link.keys.routeLog());
    void this.#keepUp(this.#tail);
  }

  change(changes: readonly RouteChange[]): Promise<void> {
    return this.#writer.write(changes);
  }

  read(batch: Batch): number {
    return (batch as RedisBatch).begin(this.#readCommand);
  }

  follow(batch: Batch, slot: number): boolean {
    if (!this.#isFollowing || this.#sink === null) return false;
    const reply = (batch as RedisBatch).reply(slot);
    if (reply === null) return true;
    return this.#apply(this.#sink, entriesOf(reply)) === 'all';
  }

  /** Resolves once the sink is up to date, however long Redis is away; rejects only when the way to Redis is closed. */
  catchUp(): Promise<void> {
    return this.#catchingUp ?? this.#alone(() => this.#link.patiently(() => this.#recover(), Infinity));
  }

  close(): void {
    this.#tail?.end();
    this.#tail = null;
    this.#link.client.off('ready', this.#doubt);
    this.#isFollowing = false;
    this.#sink = null;
  }

  /**
   * News come by themselves too, within a millisecond or so: for QoS 0, which does not wait for a commit, and for a node that
   * commits nothing. Nothing relies on it.
   */
  async #keepUp(tail: Tail): Promise<void> {
    while (this.#tail === tail) {
      try {
        if (!this.#isFollowing) await this.catchUp();
        const news = await tail.next(`1-${this.#last}`, entriesAtOnce);
        if (news.length > 0 && this.#isFollowing && this.#sink !== null) this.#apply(this.#sink, news);
      } catch (error) {
        this.#options.log.debug({ error: String(error) }, 'the route log could not be followed: trying again');
        await pause(retryMs, undefined, { ref: false });
      }
    }
  }

  /** One at a time reads outside the commits. */
  #alone(work: () => Promise<void>): Promise<void> {
    this.#catchingUp = work().finally(() => {
      this.#catchingUp = null;
    });
    return this.#catchingUp;
  }

  async #recover(): Promise<void> {
    const sink = this.#sink;
    if (sink === null) return;
    if ((this.#isFollowing || (await this.#isOurHistory())) && (await this.#forward(sink))) {
      this.#isFollowing = true;
      return;
    }
    this.#behind.value++;
    this.#options.log.warn({ last: this.#last }, 'the routes fell behind their log: taking the snapshot again');
    await this.#snapshot(sink);
  }

  async #isOurHistory(): Promise<boolean> {
    const id = `1-${this.#last}`;
    const found = (await this.#link.command('XRANGE', this.#link.keys.routeLog(), id, id)) as unknown as StreamEntry[];
    const fields = found[0]?.[1];
    return fields?.length === this.#lastFields.length && fields.every((field, i) => field.equals(this.#lastFields[i]!));
  }

  async #snapshot(sink: RouteSink): Promise<void> {
    const { keys } = this.#link;
    do {
      this.#isFollowing = false;
      // The end of the log first: what changes while the table is read comes again with the log.
      const newest = (await this.#link.command('XREVRANGE', keys.routeLog(), '+', '-', 'COUNT', 1)) as unknown as StreamEntry[];
      sink.reset();
      this.#reached(seqOf(newest[0]?.[0]), newest[0]?.[1] ?? []);
      let cursor = '0';
      do {
        const [next, pairs] = (await this.#link.command('HSCAN', keys.routes(), cursor, 'COUNT', fieldsAtOnce)) as [Buffer, Buffer[]];
        cursor = next.toString();
        for (let i = 0; i + 1 < pairs.length; i += 2) this.#tell(sink, pairs[i]!, optionsInTable(pairs[i + 1]!));
      } while (cursor !== '0');
    } while (!(await this.#forward(sink)));
    this.#isFollowing = true;
  }

  /** Reads the log to its present end. False when there is a gap. */
  async #forward(sink: RouteSink): Promise<boolean> {
    for (;;) {
      const reply = await this.#link.command('XREAD', 'COUNT', entriesAtOnce, 'STREAMS', this.#link.keys.routeLog(), `1-${this.#last}`);
      if (reply === null) return true;
      const outcome = this.#apply(sink, entriesOf(reply));
      if (outcome !== 'more') return outcome === 'all';
    }
  }

  #apply(sink: RouteSink, entries: readonly StreamEntry[]): 'all' | 'more' | 'gap' {
    let outcome: 'all' | 'more' | 'gap' = entries.length < entriesAtOnce ? 'all' : 'more';
    let last = this.#last;
    let fields = this.#lastFields;
    for (const entry of entries) {
      const seq = seqOf(entry[0]);
      if (seq <= last) continue;
      if (seq > last + 1) {
        outcome = 'gap';
        this.#isFollowing = false;
        break;
      }
      last = seq;
      fields = entry[1];
      const value = fields[1];
      if (fields.length !== 2 || value === undefined || value.length === 0) continue;
      this.#tell(sink, fields[0]!, optionsInLog(value));
    }
    this.#reached(last, fields);
    return outcome;
  }

  /** Own changes count here before they come with the log, unless what came with the log is newer already. */
  #written(changes: readonly RouteChange[], seq: number): void {
    if (this.#sink !== null && seq > this.#last) for (const change of changes) this.#sink.change(change);
  }

  #tell(sink: RouteSink, field: Buffer, options: Buffer | null): void {
    const end = field.indexOf(0);
    if (end >= 0) sink.change({ filter: field.toString('utf8', 0, end), target: field.toString('utf8', end + 1), options });
  }

  #reached(seq: number, fields: readonly Buffer[]): void {
    if (seq === this.#last && this.#readCommand.length > 0) return;
    this.#last = seq;
    this.#lastFields = fields;
    this.#readCommand = encodeParts(6, 'XREAD', 'COUNT', String(entriesAtOnce), 'STREAMS', this.#link.keys.routeLog(), `1-${seq}`);
  }
}

const minus = 0x2d;

function entriesOf(reply: Reply): readonly StreamEntry[] {
  return (reply as unknown as [[Buffer, StreamEntry[]]])[0][1];
}

/** The number behind the dash; 0 without an id. */
function seqOf(id: Buffer | undefined): number {
  return id === undefined ? 0 : Number(id.toString('latin1', id.indexOf(minus) + 1));
}
