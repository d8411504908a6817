import { backoffMs } from '../base/backoff.ts';
import { monotonicMs } from '../base/clock.ts';
import type { RedisBatch } from './batch.ts';
import { closedError } from './refusal.ts';
import type { Refused, Shard } from './shard.ts';
import type { WaySettings } from './way.ts';

/** Where the commands of a batch go. */
export interface Shards {
  shardOf(hashSlot: number): Shard | undefined;
  /** A server said where a slot is, or that it is on its way there: `MOVED …`, `ASK …`. */
  heard(word: string, speaker: Shard): Shard;
  /** Something is wrong with the servers or the map of them. */
  lost(): void;
}

type Done = (error: Error | null) => void;

interface Waiting {
  readonly batch: RedisBatch;
  readonly done: Done;
}

/** Commands for one server, in order. */
interface Group {
  readonly shard: Shard;
  readonly isAsked: boolean;
  readonly slots: number[];
}

const retry = { firstMs: 10, mostMs: 500 };

/**
 * Batches on a Redis Cluster, one after the other: each goes out in rounds until all of it is carried out.
 *
 * A round is one pipeline to each server. What a server did not take (the slot moved, it moves at this moment, the server is
 * away) is in the next one, where it is by then. From its first refusal on, a hash slot is in trouble: one command of it goes in
 * a round, so that nothing overtakes; when one goes through where the map says, the rest follows together.
 *
 * Sequels come when all before them is carried out, and the last command at the very end: it sees what the others did. When
 * everything goes to one server, the order of its pipeline does that, and there is one round.
 */
export class Rounds {
  readonly #settings: WaySettings;
  readonly #shards: Shards;
  readonly #waiting: Waiting[] = [];
  readonly #firsts: Waiting[] = [];
  #isRunning = false;
  #isClosed = false;
  #wake: (() => void) | null = null;
  lastBatchMs = 0;

  constructor(settings: WaySettings, shards: Shards) {
    this.#settings = settings;
    this.#shards = shards;
  }

  send(batch: RedisBatch, done: Done, isFirst = false): void {
    if (this.#isClosed) {
      done(closedError());
      return;
    }
    (isFirst ? this.#firsts : this.#waiting).push({ batch, done });
    if (!this.#isRunning) void this.#run();
  }

  /** The servers or the map have changed: what waits tries again at once. */
  wake(): void {
    this.#wake?.();
  }

  close(): void {
    this.#isClosed = true;
    this.wake();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#finish(next);
    this.#isRunning = false;
  }

  #next(): Waiting | undefined {
    return this.#firsts.shift() ?? this.#waiting.shift();
  }

  async #finish({ batch, done }: Waiting): Promise<void> {
    const began = monotonicMs();
    const isDone = await this.#carryOut(batch);
    this.lastBatchMs = monotonicMs() - began;
    done(isDone ? null : closedError());
  }

  /** False when the way was closed before it was done. */
  async #carryOut(batch: RedisBatch): Promise<boolean> {
    const last = batch.lastSlot;
    let from = 0;
    for (;;) {
      const pending: number[] = [];
      for (let slot = from; slot < batch.size; slot++) if (slot !== last) pending.push(slot);
      from = batch.size;
      const sequels = batch.takeSequels();
      const isAll = sequels.length === 0 && last >= 0 && this.#isOnOne(batch, pending, last);
      if (isAll) pending.push(last);
      if (!(await this.#untilDone(batch, pending))) return false;
      if (isAll) return true;
      for (const sequel of sequels) sequel();
      if (from === batch.size && sequels.length === 0) break;
    }
    return last < 0 || this.#untilDone(batch, [last]);
  }

  /** Whether one server has all of these, so that it keeps their order. */
  #isOnOne(batch: RedisBatch, slots: readonly number[], last: number): boolean {
    const shard = this.#shards.shardOf(batch.hashSlot(last));
    return slots.every((slot) => this.#shards.shardOf(batch.hashSlot(slot)) === shard);
  }

  async #untilDone(batch: RedisBatch, slots: readonly number[]): Promise<boolean> {
    let pending = slots;
    /** hash slots in trouble, and the server that has to be asked for the next command of it */
    const troubled = new Map<number, Shard | null>();
    for (let attempt = 1; pending.length > 0; ) {
      if (this.#isClosed) return false;
      for (let first = this.#firsts.shift(); first !== undefined; first = this.#firsts.shift()) await this.#finish(first);
      const { groups, left } = this.#group(batch, pending, troubled);
      const outcomes = await Promise.all(groups.map((group) => group.shard.exchange(batch, group.slots, group.isAsked)));
      const refused: number[] = [];
      let mustWait = groups.length === 0;
      groups.forEach((group, i) => {
        const of = outcomes[i]!;
        this.#settleTrouble(batch, group, of, troubled);
        for (const { slot, error } of of) {
          refused.push(slot);
          if (this.#refuse(batch, group, slot, error, troubled)) mustWait = true;
        }
      });
      pending = [...refused, ...left].sort((a, b) => a - b);
      if (pending.length > 0 && mustWait) await this.#pause(attempt++);
    }
    return true;
  }

  /** This round's pipelines, and what is not in it. */
  #group(batch: RedisBatch, pending: readonly number[], troubled: ReadonlyMap<number, Shard | null>): { groups: Group[]; left: number[] } {
    const groups = new Map<Shard, Group>();
    const asked: Group[] = [];
    const left: number[] = [];
    const busy = new Set<number>();
    for (const slot of pending) {
      const hashSlot = batch.hashSlot(slot);
      const ask = troubled.get(hashSlot);
      const shard = ask ?? this.#shards.shardOf(hashSlot);
      if (shard === undefined || (ask !== undefined && busy.has(hashSlot))) {
        left.push(slot);
        continue;
      }
      if (ask !== undefined) busy.add(hashSlot);
      if (ask) {
        asked.push({ shard, isAsked: true, slots: [slot] });
        continue;
      }
      let group = groups.get(shard);
      if (group === undefined) groups.set(shard, (group = { shard, isAsked: false, slots: [] }));
      group.slots.push(slot);
    }
    return { groups: [...groups.values(), ...asked], left };
  }

  /** One that went through where the map says ends the trouble; one that was asked for leads back to the map. */
  #settleTrouble(batch: RedisBatch, { slots, isAsked }: Group, refused: readonly Refused[], troubled: Map<number, Shard | null>): void {
    if (troubled.size === 0) return;
    const failed = new Set(refused.map(({ slot }) => slot));
    for (const slot of slots) {
      const hashSlot = batch.hashSlot(slot);
      if (failed.has(slot) || !troubled.has(hashSlot)) continue;
      if (isAsked) troubled.set(hashSlot, null);
      else troubled.delete(hashSlot);
    }
  }

  /** Notes why a command was refused. True: nothing is to be gained by trying at once. */
  #refuse(batch: RedisBatch, { shard, isAsked }: Group, slot: number, error: Error, troubled: Map<number, Shard | null>): boolean {
    const hashSlot = batch.hashSlot(slot);
    const [word] = error.message.split(' ', 1);
    if (word === 'MOVED' || word === 'ASK') {
      const elsewhere = this.#shards.heard(error.message, shard);
      troubled.set(hashSlot, word === 'ASK' ? elsewhere : null);
      return !elsewhere.isReady;
    }
    // an answer of the importing server: it is asked for again, until it has all keys of the command
    troubled.set(hashSlot, word === 'TRYAGAIN' && isAsked ? shard : null);
    if (word === 'NOSCRIPT') {
      shard.tellScripts();
      return false;
    }
    this.#settings.onRefused(error);
    if (word !== 'TRYAGAIN') this.#shards.lost();
    return true;
  }

  #pause(attempt: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(end, backoffMs(retry, attempt));
      this.#wake = end;
    });
  }
}
