import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { monotonicMs } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import { withoutPassword, type RedisHost } from '../base/redis-url.ts';
import type { Arg, RedisBatch, Reply } from './batch.ts';
import { addressOf, openConnection, renew } from './connection.ts';
import { hashSlotOf, keyOf } from './hash-slot.ts';
import { Rounds } from './rounds.ts';
import { Shard } from './shard.ts';
import { nameOf, SlotMap } from './slot-map.ts';
import { forBlocking, type Way, type WaySettings } from './way.ts';

const hops = 5;
const lookMs = 15_000;

/**
 * A Redis Cluster: keys lie on several primaries by their hash slot. Batches go to all of them at once, in rounds; commands
 * and connections that block go to the one that has their key, and follow it.
 */
export class ShardedWay implements Way {
  readonly isSharded = true;
  readonly #settings: WaySettings;
  readonly #map: SlotMap;
  readonly #shards = new Map<string, Shard>();
  readonly #rounds: Rounds;
  /** connections that block, and the hash slot that each follows */
  readonly #others = new Map<Redis, number>();
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;
  awaySince = 0;

  constructor(settings: WaySettings) {
    this.#settings = settings;
    this.#map = new SlotMap(settings, () => {
      this.#gather();
    });
    this.#rounds = new Rounds(settings, {
      shardOf: (hashSlot) => this.#shardOf(hashSlot),
      heard: (word, speaker) => this.#heard(word, speaker),
      lost: () => {
        void this.#map.refresh();
      },
    });
    // a node that only listens hears of no move otherwise
    this.#timer = setInterval(() => void this.#map.refresh(), lookMs).unref();
    void this.#map.refresh();
  }

  get isReady(): boolean {
    return this.#map.isComplete && this.#primaries().every((shard) => shard.isReady);
  }

  get lastBatchMs(): number {
    return this.#rounds.lastBatchMs;
  }

  async ready(withinMs: number): Promise<void> {
    const until = monotonicMs() + withinMs;
    while (!this.isReady) {
      if (monotonicMs() > until) {
        const missing = this.#primaries().filter((shard) => !shard.isReady).map((shard) => shard.address);
        const reason = this.#map.isComplete ? `no answer from ${missing.join(', ')}` : 'no node tells of every slot';
        throw new BrokerError('store-unavailable', `cannot reach Redis at ${withoutPassword(this.#settings.url)}: ${reason}`);
      }
      if (!this.#map.isComplete) await this.#map.refresh();
      await pause(10);
    }
  }

  send(batch: RedisBatch, done: (error: Error | null) => void, isFirst?: boolean): void {
    this.#rounds.send(batch, done, isFirst);
  }

  async call(name: string, args: readonly Arg[], isKept: boolean): Promise<Reply> {
    const key = keyOf(name, args);
    const hashSlot = key === null ? 0 : hashSlotOf(key);
    let asked: Shard | null = null;
    for (let hop = 1; ; hop++) {
      const shard: Shard | undefined = asked ?? this.#shardOf(hashSlot);
      try {
        if (shard === undefined) throw new Error('CLUSTERDOWN nobody has this slot');
        return await shard.call(name, args, isKept, asked !== null);
      } catch (error) {
        const text = error instanceof Error ? error.message : '';
        const isRedirect = /^(MOVED|ASK) /.test(text);
        if (!isRedirect) void this.#map.refresh();
        if (!isRedirect || hop === hops || shard === undefined) throw error;
        const elsewhere = this.#heard(text, shard);
        asked = text.startsWith('ASK') ? elsewhere : null;
      }
    }
  }

  blocking(key: string): Redis {
    const hashSlot = hashSlotOf(key);
    const redis = openConnection(this.#settings, () => this.#located(hashSlot), forBlocking);
    this.#others.set(redis, hashSlot);
    redis.once('end', () => this.#others.delete(redis));
    redis.on('close', () => {
      if (!this.#isClosed) void this.#map.refresh();
    });
    return redis;
  }

  astray(): void {
    void this.#map.refresh();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#map.close();
    for (const shard of this.#shards.values()) shard.close();
    for (const redis of this.#others.keys()) redis.disconnect();
    this.#rounds.close();
  }

  #located(hashSlot: number): RedisHost {
    const host = this.#map.ownerOf(hashSlot);
    if (host === undefined) throw new Error('CLUSTERDOWN nobody has this slot');
    return host;
  }

  #shardOf(hashSlot: number): Shard | undefined {
    const host = this.#map.ownerOf(Math.max(0, hashSlot));
    return host === undefined ? undefined : this.#shard(host);
  }

  #heard(word: string, speaker: Shard): Shard {
    const colon = speaker.address.lastIndexOf(':');
    return this.#shard(this.#map.heard(word, { host: speaker.address.slice(0, colon), port: Number(speaker.address.slice(colon + 1)) }));
  }

  #shard(host: RedisHost): Shard {
    const name = nameOf(host);
    let shard = this.#shards.get(name);
    if (shard === undefined) {
      shard = new Shard(host, this.#settings, () => {
        this.#lost();
      });
      shard.batches.on('ready', () => {
        if (this.#primaries().every((one) => one.isReady || one.batches.status === 'ready')) this.awaySince = 0;
        this.#rounds.wake();
      });
      this.#shards.set(name, shard);
    }
    return shard;
  }

  #primaries(): Shard[] {
    return this.#map.primaries.map((host) => this.#shard(host));
  }

  #lost(): void {
    if (this.#isClosed) return;
    if (this.awaySince === 0) this.awaySince = monotonicMs();
    void this.#map.refresh();
  }

  /** The map was learned: connections that block go where their slot is; servers without slots are let go when they do not answer. */
  #gather(): void {
    if (this.#isClosed) return;
    const primaries = new Set(this.#primaries());
    for (const [name, shard] of this.#shards) {
      if (primaries.has(shard) || shard.isReady) continue;
      this.#shards.delete(name);
      shard.close();
    }
    if ([...primaries].every((shard) => shard.isReady)) this.awaySince = 0;
    for (const [redis, hashSlot] of this.#others) {
      const at = addressOf(redis);
      const host = this.#map.ownerOf(hashSlot);
      if (at !== '' && host !== undefined && at !== nameOf(host)) renew(redis);
    }
    this.#rounds.wake();
  }
}

