import { backoffMs, type BackoffTable } from '../base/backoff.ts';
import { asBrokerError } from '../base/errors.ts';
import type { OutboxEntry, OutboxRef, Outboxes } from '../store/outboxes.ts';
import { Campaign, type CampaignOptions, type Service } from './campaign.ts';
import type { KafkaClient } from './kafka.ts';
import type { Parcel } from './parcel.ts';
import { Shipper, type ShipperOptions } from './shipper.ts';
import type { Term } from './term.ts';

export interface OutboundOptions extends CampaignOptions, ShipperOptions {
  readonly batch: {
    readonly maxRecords: number;
    /** Outbox bytes of one request. Kafka's own limit (`message.max.bytes`, 1 MiB by default) counts a bit more per record. */
    readonly maxBytes: number;
    /** How long a batch that is not full waits for more. */
    readonly lingerMs: number;
  };
  /** Over so many entries the oldest are dropped. */
  readonly dropOver: number;
}

interface Haul {
  readonly entries: readonly OutboxEntry[];
  /** a whole batch, so there may be more behind it */
  readonly isFull: boolean;
}

/** An empty outbox is looked at again after so long, which doubles: measured, 10 ms throughout cost 3 % of a core. */
const idleMs = { first: 5, most: 40 };
/** Entries of one read: how large they are is known only when they are here, and each may be a packet of the largest size. */
const readAtOnce = 100;
const storeBackoff: BackoffTable = { firstMs: 50, mostMs: 1_000 };

/**
 * Brings one outbox to Kafka, whenever this node leads it: reads entries in order, sends them, and removes them under the
 * leader's token once Kafka has acknowledged them. While a full batch is on its way, the next one is read.
 *
 * One batch is on its way at a time, and the next is not sent before all of it is acknowledged. So the records of a key
 * appear in Kafka for the first time in the order of the outbox, whatever is sent twice: by a retry, by a new leader that
 * begins with what the former had not removed, or by a former one that wakes up in the middle of a batch. (A former leader
 * can only repeat what it had read; its removal is refused, and it stops.)
 *
 * Its states are those of its campaign, and of the campaign's term.
 */
export class Outbound implements Service {
  readonly #options: OutboundOptions;
  readonly #outboxes: Outboxes;
  readonly #outbox: OutboxRef;
  readonly #client: KafkaClient;
  readonly #campaign: Campaign;
  readonly #shipper: Shipper;
  /** the entries up to this one were read; '' before the first */
  #readUpTo = '';
  /** the next entries, asked for while the present ones are on their way */
  #ahead: Promise<Haul> | null = null;
  #oldestAt: number | null = null;
  #isOverfull = false;

  constructor(options: OutboundOptions) {
    this.#options = options;
    this.#outboxes = options.outboxes;
    this.#outbox = options.outbox;
    this.#client = options.client;
    this.#campaign = new Campaign(options, this);
    this.#shipper = new Shipper(options);
  }

  get isLeading(): boolean {
    return this.#campaign.term !== null;
  }

  /** When the oldest message on its way to Kafka was published, in ms since 1970; null when none is. */
  get oldestAt(): number | null {
    return this.#oldestAt;
  }

  start(): void {
    this.#campaign.start();
  }

  /** What Kafka has not acknowledged within the grace stays in the outbox. */
  stop(graceMs: number): Promise<void> {
    return this.#campaign.stop(graceMs);
  }

  /** The outbox holds so many entries. */
  noteLength(length: number): void {
    this.#isOverfull = length > this.#options.dropOver;
  }

  cut(): void {
    void this.#client.close();
  }

  async serve(term: Term): Promise<void> {
    let failed = 0;
    const isFine = (): void => {
      failed = 0;
    };
    while (term.isOn) {
      try {
        await this.#drain(term, isFine);
      } catch (error) {
        if (asBrokerError(error).kind === 'lost') break;
        this.#options.complaints.about('store', error);
        await term.pause(backoffMs(storeBackoff, ++failed));
      }
    }
    this.#oldestAt = null;
    await this.#client.close();
  }

  /** From the beginning of the outbox on, until the term ends (`fenced`, or returns) or the store fails (throws). */
  async #drain(term: Term, isFine: () => void): Promise<void> {
    this.#readUpTo = '';
    this.#ahead = null;
    let idle = idleMs.first;
    while (term.isOn) {
      if (this.#isOverfull) await this.#dropOldest(term);
      const haul = await (this.#ahead ?? this.#read());
      this.#ahead = null;
      isFine();
      if (haul.entries.length === 0) {
        await term.pause(idle);
        idle = Math.min(2 * idle, idleMs.most);
        continue;
      }
      idle = idleMs.first;
      if (haul.isFull) {
        this.#ahead = this.#read();
        // heard in the next round; until then nobody listens
        this.#ahead.catch(() => undefined);
        await this.#deliver(term, haul.entries);
      } else {
        await this.#deliver(term, await this.#linger(term, haul.entries));
      }
    }
  }

  /** Reads on, up to a batch of which `held` entries are here already. */
  async #read(held = 0): Promise<Haul> {
    const { maxRecords, maxBytes } = this.#options.batch;
    const entries: OutboxEntry[] = [];
    for (let bytes = 0; ; ) {
      const count = Math.min(maxRecords - held - entries.length, readAtOnce);
      if (count <= 0 || bytes >= maxBytes) return { entries, isFull: true };
      const more = await this.#outboxes.read(this.#outbox, this.#readUpTo, count);
      for (const entry of more) {
        entries.push(entry);
        bytes += entry.record.length;
        this.#readUpTo = entry.id;
      }
      if (more.length < count) return { entries, isFull: false };
    }
  }

  async #linger(term: Term, entries: readonly OutboxEntry[]): Promise<readonly OutboxEntry[]> {
    const { lingerMs } = this.#options.batch;
    if (lingerMs === 0) return entries;
    await term.pause(lingerMs);
    const more = await this.#read(entries.length);
    return [...entries, ...more.entries];
  }

  async #deliver(term: Term, entries: readonly OutboxEntry[]): Promise<void> {
    const { packer, meters, batch } = this.#options;
    const meanwhile = async (): Promise<void> => {
      if (this.#isOverfull) await this.#dropOldest(term);
    };
    for (const part of cut(entries, batch.maxBytes)) {
      const parcels: Parcel[] = [];
      for (const entry of part) {
        const parcel = packer.pack(entry);
        if (parcel !== null) parcels.push(parcel);
        else meters.dropped.of('poison').value++;
      }
      this.#oldestAt = parcels[0]?.record.timestamp ?? null;
      if (parcels.length > 0) await this.#shipper.ship(term, parcels, meanwhile);
      await this.#remove(term, part);
    }
    this.#oldestAt = null;
  }

  /** Repeated while the store is away: to go on without would send all of it again. */
  async #remove(term: Term, entries: readonly OutboxEntry[]): Promise<void> {
    const ids = entries.map(({ id }) => id);
    for (let failed = 0; ; ) {
      term.expectLead();
      try {
        if ((await this.#outboxes.remove(this.#outbox, term.token, ids)) === 'ok') return;
        term.end();
      } catch (error) {
        this.#options.complaints.about('store', error);
        await term.pause(backoffMs(storeBackoff, ++failed));
      }
    }
  }

  /** Drops the oldest entries over the limit among those that were not read yet. */
  async #dropOldest(term: Term): Promise<void> {
    const { dropOver, meters, complaints } = this.#options;
    this.#isOverfull = false;
    await this.#ahead;
    let excess = (await this.#outboxes.size(this.#outbox)) - dropOver;
    while (excess > 0) {
      const oldest = await this.#outboxes.read(this.#outbox, this.#readUpTo, Math.min(excess, readAtOnce));
      if (oldest.length === 0) return;
      await this.#remove(term, oldest);
      excess -= oldest.length;
      meters.dropped.of('outbox-full').value += oldest.length;
      complaints.say('outbox-full', { dropped: oldest.length }, 'the outbox is full: its oldest records are dropped');
    }
  }
}

/** Cuts entries into runs of at most `maxBytes`, or one entry. */
function cut(entries: readonly OutboxEntry[], maxBytes: number): OutboxEntry[][] {
  const runs: OutboxEntry[][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    bytes += entry.record.length;
    if (bytes > maxBytes) {
      runs.push([]);
      bytes = entry.record.length;
    }
    runs.at(-1)?.push(entry);
  }
  return runs;
}
