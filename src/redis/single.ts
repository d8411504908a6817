import type { Redis, RedisOptions } from 'ioredis';
import { monotonicMs } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import { withoutPassword } from '../base/redis-url.ts';
import type { Arg, RedisBatch, Reply } from './batch.ts';
import { isNearlyFull } from './caution.ts';
import { Confirmation } from './confirmation.ts';
import { addressOf, openConnection, renew, type Locate } from './connection.ts';
import { Pipeline } from './pipeline.ts';
import { isDemotion } from './refusal.ts';
import { loadScripts } from './script.ts';
import { Sentinels } from './sentinels.ts';
import { forBlocking, forCommands, type Way, type WaySettings } from './way.ts';

/** How often Redis is asked how full it is. */
const lookMs = 1000;

/**
 * One server at a time: a Redis of its own, or the primary that Sentinel names. One connection for batches, one for
 * everything with a promise, and as many as asked for that block; all of them follow the primary.
 */
export class SingleWay implements Way {
  readonly isSharded = false;
  readonly #settings: WaySettings;
  readonly #sentinels: Sentinels | null;
  readonly #client: Redis;
  readonly #batches: Redis;
  readonly #pipeline: Pipeline;
  readonly #confirmation: Confirmation;
  readonly #others = new Set<Redis>();
  readonly #look: NodeJS.Timeout;
  awaySince = 0;

  constructor(settings: WaySettings) {
    this.#settings = settings;
    const { place, log, onRefused, onAnew } = settings;
    this.#sentinels = place.kind !== 'sentinel' ? null : new Sentinels({ ...settings, password: settings.sentinelPassword }, () => {
      void this.#gather();
    });
    this.#client = this.#connection(forCommands(settings));
    this.#batches = this.#connection({});
    this.#confirmation = new Confirmation(this.#client, settings);
    this.#client.on('ready', () => {
      onAnew(this.#client, false);
    });
    this.#batches.on('close', () => {
      if (this.awaySince === 0) this.awaySince = monotonicMs();
    });
    this.#batches.on('ready', () => {
      this.awaySince = 0;
      loadScripts(this.#batches);
      onAnew(this.#batches, true);
    });
    const onUnknownScripts = (): void => {
      loadScripts(this.#batches);
    };
    // after the others: what waits is sent when the connection is up, and everyone has been told before
    this.#pipeline = new Pipeline(this.#batches, { ...settings, log, onRefused, onUnknownScripts });
    this.#look = setInterval(() => {
      void this.#lookAtMemory();
    }, lookMs).unref();
  }

  get isReady(): boolean {
    return this.#batches.status === 'ready' && this.#client.status === 'ready';
  }

  get lastBatchMs(): number {
    return this.#pipeline.lastBatchMs;
  }

  async ready(withinMs: number): Promise<void> {
    await Promise.all([ready(this.#client, this.#settings.url, withinMs), ready(this.#batches, this.#settings.url, withinMs)]);
  }

  send(batch: RedisBatch, done: (error: Error | null) => void, isFirst?: boolean): void {
    this.#pipeline.send(batch, done, isFirst);
  }

  async call(name: string, args: readonly Arg[], isKept: boolean): Promise<Reply> {
    const { life } = this.#confirmation;
    try {
      const reply = await callOn(this.#client, name, args);
      if (isKept) await this.#confirmation.confirm(life);
      return reply;
    } catch (error) {
      // A connection on which a command timed out may be dead without knowing it: it is made anew.
      if (error instanceof Error && (error.message === 'Command timed out' || isDemotion(error))) renew(this.#client);
      throw error;
    }
  }

  blocking(): Redis {
    const redis = this.#connection(forBlocking);
    this.#others.add(redis);
    redis.once('end', () => this.#others.delete(redis));
    return redis;
  }

  astray(): void {
    // there is one server
  }

  close(): void {
    clearInterval(this.#look);
    this.#sentinels?.close();
    for (const redis of [this.#client, this.#batches, ...this.#others]) redis.disconnect();
    this.#pipeline.close();
  }

  async #lookAtMemory(): Promise<void> {
    if (this.#client.status !== 'ready') return;
    try {
      if (isNearlyFull(String(await callOn(this.#client, 'INFO', ['memory'])))) this.#pipeline.beWary();
    } catch {
      // away, or a user who may not ask: then the first refusal makes wary
    }
  }

  #connection(extra: RedisOptions): Redis {
    const { place } = this.#settings;
    const sentinels = this.#sentinels;
    const locate: Locate = sentinels === null ? () => place.hosts[0]! : () => sentinels.locate();
    return openConnection(this.#settings, locate, extra);
  }

  /** The Sentinels speak of another primary: whoever is connected elsewhere connects anew. */
  async #gather(): Promise<void> {
    try {
      const { host, port } = await this.#sentinels!.locate();
      for (const redis of [this.#batches, this.#client, ...this.#others]) {
        const at = addressOf(redis);
        if (at !== '' && at !== `${host}:${port}`) renew(redis);
      }
    } catch {
      // the next word of theirs, or the first refusal of the old primary, does it
    }
  }
}

/** By the client library's method of that name: its `callBuffer` loses the name of the command when it pipelines by itself. */
export function callOn(client: Redis, name: string, args: readonly Arg[]): Promise<Reply> {
  const methods = client as unknown as Record<string, (...args: readonly Arg[]) => Promise<Reply>>;
  return methods[`${name.toLowerCase()}Buffer`]!(...args);
}

export function ready(redis: Redis, url: string, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let last = 'no answer';
    const timer = setTimeout(() => {
      reject(new BrokerError('store-unavailable', `cannot reach Redis at ${withoutPassword(url)}: ${last}`));
    }, withinMs);
    redis.on('error', (error: Error) => (last = error.message));
    const isUp = (): void => {
      clearTimeout(timer);
      resolve();
    };
    if (redis.status === 'ready') isUp();
    else redis.once('ready', isUp);
  });
}
