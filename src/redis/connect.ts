import type { Redis } from 'ioredis';
import { BrokerError } from '../base/errors.ts';
import { backoffMs } from '../base/backoff.ts';
import { monotonicMs } from '../base/clock.ts';
import { silentLog, type Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { parseRedisUrl, withoutPassword, type RedisPlace } from '../base/redis-url.ts';
import { RedisBatch, type Arg, type BatchLink, type Reply } from './batch.ts';
import { losesData, report, risksOf, type Risks } from './caution.ts';
import { addressOf } from './connection.ts';
import { Keys } from './keys.ts';
import { asUnavailable, isRefusal } from './refusal.ts';
import type { ScriptRunner } from './script.ts';
import { ShardedWay } from './sharded.ts';
import { SingleWay } from './single.ts';
import type { Way } from './way.ts';

export interface RedisSettings {
  /** where Redis is, as the option `redis.url` has it */
  readonly url: string;
  /** put before every key */
  readonly prefix: string;
  readonly connectTimeoutMs: number;
  /** after so long without an answer a connection is taken for dead and made anew */
  readonly commandTimeoutMs: number;
  readonly sentinelPassword?: string | null;
  /** whether a Redis that throws keys away when it is full will do */
  readonly allowEviction?: boolean;
  /** how many replicas must have what is written before it counts, and after how long too few of them are told of */
  readonly waitReplicas?: number;
  readonly waitTimeoutMs?: number;
  readonly log?: Logger;
  readonly metrics?: Metrics;
}

const retry = { firstMs: 10, mostMs: 500 };
const oldestRedis = 7;
/** A refusal counts for so long; whatever was refused is tried again sooner than that. */
const refusalMs = 2000;

/**
 * The way to Redis of one node, whatever its topology: batches, commands with a promise, and connections for commands that
 * block. All of it comes back by itself, and follows the primary over failovers.
 *
 * A command with a promise fails at once with `store-unavailable` while Redis is away: the caller decides whether to wait
 * (`patiently`) or to refuse. A batch waits by itself.
 */
export class RedisLink implements BatchLink, ScriptRunner {
  readonly keys: Keys;
  readonly settings: RedisSettings;
  /** Runs scripts whose effect may be lost in a failover: it does not wait for replicas, where `this` does. */
  readonly unconfirmed: ScriptRunner;
  readonly #way: Way;
  readonly #idle: RedisBatch[] = [];
  readonly #log: Logger;
  readonly #anew = new Set<(isOfBatches: boolean) => void>();
  #closed = false;
  #refusal = { text: '', at: -Infinity };
  #risks: Risks = { eviction: null, forgetful: false };

  private constructor(settings: RedisSettings, place: RedisPlace) {
    this.settings = settings;
    this.#log = settings.log ?? silentLog;
    this.keys = new Keys(settings.prefix);
    this.unconfirmed = { evalScript: (source, sha, keys, args) => this.#eval(source, sha, keys, args, false) };
    const { sentinelPassword = null, waitReplicas = 0, waitTimeoutMs = 1000, commandTimeoutMs } = settings;
    this.#way = new (place.kind === 'cluster' ? ShardedWay : SingleWay)({
      ...settings,
      place,
      sentinelPassword,
      waitReplicas,
      // the answer to WAIT must come before its connection is taken for dead
      waitTimeoutMs: Math.min(waitTimeoutMs, commandTimeoutMs / 2),
      log: this.#log,
      onRefused: (error) => {
        this.#note(error);
      },
      onAnew: (redis, isOfBatches) => {
        for (const tell of this.#anew) tell(isOfBatches);
        void this.#look(redis);
      },
    });
    this.#measure(settings.metrics);
  }

  /**
   * Connects. Rejects with `store-unavailable` when no connection could be made in time or Redis is older than 7.0
   * (streams that number themselves need it), with `config-invalid` when Redis is not what the URL says, or would throw away
   * what it is to keep; the message says which.
   */
  static async open(settings: RedisSettings): Promise<RedisLink> {
    const place = parseRedisUrl(settings.url);
    if (typeof place === 'string') throw new BrokerError('config-invalid', `redis.url ${place}`);
    const link = new RedisLink(settings, place);
    try {
      await link.#way.ready(settings.connectTimeoutMs);
      link.#check(String(await link.#way.call('INFO', [], false)), place);
      return link;
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  /** Whether the next command has a chance. */
  get isReady(): boolean {
    return this.#way.isReady;
  }

  /** For how long Redis has been away, in ms; 0 when it is here. */
  get awayMs(): number {
    const { awaySince } = this.#way;
    return awaySince === 0 ? 0 : monotonicMs() - awaySince;
  }

  /** What Redis says, when it is here but refuses what it is told (out of memory, disk full, too few replicas); null when it does not. */
  get refusal(): string | null {
    return monotonicMs() - this.#refusal.at < refusalMs ? this.#refusal.text : null;
  }

  /** An empty batch. The memory of an earlier one is used again, so replies are read in the turn of `done`. */
  begin(): RedisBatch {
    const batch = this.#idle.pop() ?? new RedisBatch(this, this.#way.isSharded);
    batch.reset();
    return batch;
  }

  /** A connection of its own to the server that has this key, for commands that block. It is closed by `disconnect`, or with the link. */
  blocking(key: string): Redis {
    return this.#way.blocking(key);
  }

  /**
   * Calls `tell` whenever a connection was made anew, perhaps to another server, before anything is sent on it; and whether
   * batches go that way. Gives the way to end that.
   */
  onAnew(tell: (isOfBatches: boolean) => void): () => void {
    this.#anew.add(tell);
    return () => this.#anew.delete(tell);
  }

  /** Whether keys lie on several servers: one script sees those of one hash tag only. */
  get isSharded(): boolean {
    return this.#way.isSharded;
  }

  /** A connection that blocks was told that its key is elsewhere: it will go there. */
  astray(): void {
    this.#way.astray();
  }

  /** One command outside a batch; texts come as Buffers. Rejects with `store-unavailable` when Redis is away. */
  command(name: string, ...args: Arg[]): Promise<Reply> {
    return this.#call(name, args, false);
  }

  evalScript(source: string, sha: string, keys: string[], args: Arg[]): Promise<Reply> {
    return this.#eval(source, sha, keys, args, true);
  }

  /** Does `work` until it succeeds, as long as it fails only because Redis is away, for at most `withinMs`. */
  async patiently<T>(work: () => Promise<T>, withinMs: number): Promise<T> {
    const until = monotonicMs() + withinMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const failure = asUnavailable(error);
        if (this.#closed || failure.code !== 'store-unavailable' || monotonicMs() > until) throw failure;
        await new Promise((resolve) => setTimeout(resolve, backoffMs(retry, attempt)));
      }
    }
  }

  send(batch: RedisBatch, done: (error: Error | null) => void, isFirst = false): void {
    const told = (error: Error | null): void => {
      // used again only when everyone who awaits a batch of this turn has read its replies
      if (error === null && this.#idle.length < 2) setImmediate(() => this.#idle.push(batch));
      done(error);
    };
    this.#way.send(batch, told, isFirst);
  }

  /** Carries out what `ask` appends before all batches that wait, and then calls what it gave. Without anything to ask: nothing. */
  first(ask: (batch: RedisBatch) => () => void): void {
    const batch = this.begin();
    const read = ask(batch);
    if (batch.size === 0) return;
    batch.expect();
    this.#way.send(batch, (error) => {
      if (error === null) read();
    }, true);
  }

  /** One command as a batch of its own: on the way of the batches, and as patient. Rejects when the link is closed, or Redis refuses for good. */
  ask(...parts: Arg[]): Promise<Reply> {
    const batch = this.begin();
    const slot = batch.add(...parts);
    return new Promise((resolve, reject) => {
      batch.commit((error) => {
        const reply = error ?? batch.reply(slot);
        if (reply instanceof Error) reject(asUnavailable(reply));
        else resolve(reply);
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#way.close();
    await Promise.resolve();
  }

  async #call(name: string, args: Arg[], isKept: boolean): Promise<Reply> {
    try {
      return await this.#way.call(name, args, isKept);
    } catch (error) {
      this.#note(error);
      throw asUnavailable(error);
    }
  }

  async #eval(source: string, sha: string, keys: string[], args: Arg[], isKept: boolean): Promise<Reply> {
    try {
      return await this.#way.call('EVALSHA', [sha, keys.length, ...keys, ...args], isKept);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return this.#call('EVAL', [source, keys.length, ...keys, ...args], isKept);
      this.#note(error);
      throw asUnavailable(error);
    }
  }

  #note(error: unknown): void {
    if (isRefusal(error)) this.#refusal = { text: error.message, at: monotonicMs() };
  }

  #check(info: string, place: RedisPlace): void {
    const at = withoutPassword(this.settings.url);
    const version = /redis_version:(\d+)/.exec(info)?.[1] ?? '0';
    if (Number(version) < oldestRedis) throw new BrokerError('store-unavailable', `Redis at ${at} is version ${version}: 7.0 or newer is needed`);
    const isCluster = /^redis_mode:cluster/m.test(info);
    if (isCluster !== (place.kind === 'cluster')) {
      const said = isCluster ? 'is a node of a Redis Cluster: write redis+cluster://' : 'is no Redis Cluster: write redis://';
      throw new BrokerError('config-invalid', `redis.url ${at} ${said}`);
    }
    const { eviction } = risksOf(info);
    if (eviction === null || !losesData(eviction) || this.settings.allowEviction === true) return;
    throw new BrokerError(
      'config-invalid',
      `Redis at ${at} has maxmemory-policy ${eviction}, by which it throws acknowledged messages away when it is full: `
        + 'set maxmemory-policy noeviction there, or redis.allowEviction here',
    );
  }

  /** What a server keeps is looked at on each connection to it: after a failover it is another one. */
  async #look(redis: Redis): Promise<void> {
    try {
      const risks = risksOf(await redis.info());
      if (risks.eviction !== this.#risks.eviction || risks.forgetful !== this.#risks.forgetful) report(risks, addressOf(redis), this.#log);
      this.#risks = risks;
    } catch {
      // gone again, or a user who may not ask
    }
  }

  #measure(metrics: Metrics | undefined): void {
    if (metrics === undefined) return;
    const is = (risk: boolean): number => (risk ? 1 : 0);
    metrics.gauge('swarmq_redis_evicting', 'Whether Redis would throw keys away when it is full', () => is(this.#risks.eviction !== null));
    metrics.gauge('swarmq_redis_forgetful', 'Whether Redis keeps no append-only file', () => is(this.#risks.forgetful));
  }
}
