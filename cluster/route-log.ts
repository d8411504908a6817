import { setTimeout as pause } from 'node:timers/promises';
import type { Batch } from '../src/base/batch.ts';
import type { Logger } from '../src/base/log.ts';
import type { Counter, Metrics } from '../src/base/metrics.ts';
import { encodeParts, type Encoded, type RedisBatch, type Reply } from '../src/redis/batch.ts';
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
 * behind     not so, or not for certain: nothing loaded yet, a gap was found, the log lost its end in a failover, or the tail's
 *            connection was made anew. Only `load` and `catchUp` lead back
 *
 * Every look begins with the last change applied here: when it stands in the log at its place, our history is a beginning of
 * the log's. A log that a failover cut short, or that grew again in another way, is thus noticed by the very commit that reads
 * it. All looks, and the snapshot, go the way of the batches: whatever server has the commit is the one that is asked.
 */
export class RouteLog implements Routes {
  readonly #link: RedisLink;
  readonly #options: RouteLogOptions;
  readonly #writer: RouteWriter;
  readonly #behind: Counter;
  #sink: RouteSink | null = null;
  #isFollowing = false;
  #catchingUp: Promise<void> | null = null;
  /** the last change applied */
  #last: Place = beginning;
  #readCommand: Encoded | null = null;
  #tail: Tail | null = null;
  /** what stood last when a batch looked */
  readonly #looks = new WeakMap<Batch, Place>();

  constructor(link: RedisLink, options: RouteLogOptions) {
    this.#link = link;
    this.#options = options;
    this.#writer = new RouteWriter(link, options.maxEntries, (changes, seq) => {
      this.#written(changes, seq);
    });
    this.#behind = options.metrics.counter('swarmq_route_log_behind_total', 'Times that the snapshot of the routes was taken again');
    this.#reached(beginning);
  }

  async load(sink: RouteSink): Promise<void> {
    while (this.#catchingUp !== null) await this.#catchingUp.catch(() => undefined);
    this.#sink = sink;
    await this.#alone(() => this.#snapshot(sink));
    if (this.#tail !== null) return;
    this.#tail = new Tail(this.#link, this.#link.keys.routeLog(), () => {
      this.#isFollowing = false;
    });
    void this.#keepUp(this.#tail);
  }

  change(changes: readonly RouteChange[]): Promise<void> {
    return this.#writer.write(changes);
  }

  read(batch: Batch): number {
    this.#looks.set(batch, this.#last);
    return (batch as RedisBatch).last(this.#readCommand!);
  }

  follow(batch: Batch, slot: number): boolean {
    if (!this.#isFollowing || this.#sink === null) return false;
    return this.#take(this.#sink, entriesOf((batch as RedisBatch).reply(slot)), this.#looks.get(batch) ?? this.#last) === 'all';
  }

  /** Resolves once the sink is up to date, however long Redis is away; rejects only when the way to Redis is closed. */
  catchUp(): Promise<void> {
    return this.#catchingUp ?? this.#alone(() => this.#recover());
  }

  close(): void {
    this.#tail?.end();
    this.#tail = null;
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
        const news = await tail.next(`1-${this.#last.seq}`, entriesAtOnce);
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
    if ((this.#isFollowing || this.#last.seq > 0) && (await this.#forward(sink))) {
      this.#isFollowing = true;
      return;
    }
    this.#behind.value++;
    this.#options.log.warn({ last: this.#last.seq }, 'the routes fell behind their log: taking the snapshot again');
    await this.#snapshot(sink);
  }

  async #snapshot(sink: RouteSink): Promise<void> {
    const { keys } = this.#link;
    do {
      this.#isFollowing = false;
      // The end of the log first: what changes while the table is read comes again with the log.
      const newest = (await this.#link.ask('XREVRANGE', keys.routeLog(), '+', '-', 'COUNT', 1)) as unknown as StreamEntry[];
      sink.reset();
      this.#reached(newest[0] === undefined ? beginning : { seq: seqOf(newest[0][0]), fields: newest[0][1] });
      let cursor = '0';
      do {
        const [next, pairs] = (await this.#link.ask('HSCAN', keys.routes(), cursor, 'COUNT', fieldsAtOnce)) as [Buffer, Buffer[]];
        cursor = next.toString();
        for (let i = 0; i + 1 < pairs.length; i += 2) this.#tell(sink, pairs[i]!, optionsInTable(pairs[i + 1]!));
      } while (cursor !== '0');
    } while (!(await this.#forward(sink)));
    this.#isFollowing = true;
  }

  /** Reads the log to its present end. False when our history is none of it any more, or there is a gap. */
  async #forward(sink: RouteSink): Promise<boolean> {
    for (;;) {
      const from = this.#last;
      const reply = await this.#link.ask('XREAD', 'COUNT', entriesAtOnce, 'STREAMS', this.#link.keys.routeLog(), before(from));
      const outcome = this.#take(sink, entriesOf(reply), from);
      if (outcome !== 'more') return outcome === 'all';
    }
  }

  /** Applies what a look found that began with the change at `from`. */
  #take(sink: RouteSink, entries: readonly StreamEntry[], from: Place): 'all' | 'more' | 'gap' {
    if (from.seq > 0 && !isAt(from, entries[0])) {
      this.#isFollowing = false;
      return 'gap';
    }
    return this.#apply(sink, entries);
  }

  #apply(sink: RouteSink, entries: readonly StreamEntry[]): 'all' | 'more' | 'gap' {
    let outcome: 'all' | 'more' | 'gap' = entries.length < entriesAtOnce ? 'all' : 'more';
    let last = this.#last;
    for (const entry of entries) {
      const seq = seqOf(entry[0]);
      if (seq <= last.seq) continue;
      if (seq > last.seq + 1) {
        outcome = 'gap';
        this.#isFollowing = false;
        break;
      }
      const fields = entry[1];
      last = { seq, fields };
      const value = fields[1];
      if (fields.length !== 2 || value === undefined || value.length === 0) continue;
      this.#tell(sink, fields[0]!, optionsInLog(value));
    }
    this.#reached(last);
    return outcome;
  }

  /** Own changes count here before they come with the log, unless what came with the log is newer already. */
  #written(changes: readonly RouteChange[], seq: number): void {
    if (this.#sink !== null && seq > this.#last.seq) for (const change of changes) this.#sink.change(change);
  }

  #tell(sink: RouteSink, field: Buffer, options: Buffer | null): void {
    const end = field.indexOf(0);
    if (end >= 0) sink.change({ filter: field.toString('utf8', 0, end), target: field.toString('utf8', end + 1), options });
  }

  #reached(last: Place): void {
    if (last === this.#last && this.#readCommand !== null) return;
    this.#last = last;
    this.#readCommand = encodeParts(6, 'XREAD', 'COUNT', String(entriesAtOnce), 'STREAMS', this.#link.keys.routeLog(), before(last));
  }
}

/** A change and its place in the log. */
interface Place {
  readonly seq: number;
  readonly fields: readonly Buffer[];
}

const beginning: Place = { seq: 0, fields: [] };

/** The id after which a look begins with the change at this place. */
function before({ seq }: Place): string {
  return `1-${Math.max(0, seq - 1)}`;
}

function isAt({ seq, fields }: Place, entry: StreamEntry | undefined): boolean {
  if (entry === undefined || seqOf(entry[0]) !== seq || entry[1].length !== fields.length) return false;
  return entry[1].every((field, i) => field.equals(fields[i]!));
}

const minus = 0x2d;

function entriesOf(reply: Reply): readonly StreamEntry[] {
  if (reply === null) return [];
  return (reply as unknown as [[Buffer, StreamEntry[]]])[0][1];
}

/** The number behind the dash; 0 without an id. */
function seqOf(id: Buffer | undefined): number {
  return id === undefined ? 0 : Number(id.toString('latin1', id.indexOf(minus) + 1));
}
