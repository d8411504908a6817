import { Redis, type RedisOptions } from 'ioredis';
import { BrokerError } from '../base/errors.ts';
import { backoffMs } from '../base/backoff.ts';
import { monotonicMs } from '../base/clock.ts';
import { silentLog, type Logger } from '../base/log.ts';
import { RedisBatch, type Arg, type BatchLink, type RawCommand, type RawConnection, type Reply } from './batch.ts';
import { Keys } from './keys.ts';
import { allScripts, type ScriptRunner } from './script.ts';

export interface RedisSettings {
  /** redis://[user:password@]host:port[/db], or rediss:// for TLS */
  readonly url: string;
  /** put before every key */
  readonly prefix: string;
  readonly connectTimeoutMs: number;
  /** after so long without an answer a connection is taken for dead and made anew */
  readonly commandTimeoutMs: number;
  readonly log?: Logger;
}

/** A batch on its way: its place among all, the slots that are still to be carried out (null: all), and whom to tell. */
interface Sending {
  readonly order: number;
  readonly batch: RedisBatch;
  readonly slots: number[] | null;
  readonly done: (error: Error | null) => void;
}

const reconnect = { firstMs: 20, mostMs: 1000 };
const retry = { firstMs: 10, mostMs: 500 };
const oldestRedis = 7;
/** What Redis says when it takes nothing for now. */
const refusing = /^(OOM|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|MISCONF|NOREPLICAS)/;
/** A refusal counts for so long; whatever was refused is tried again sooner than that. */
const refusalMs = 2000;
/** What Redis, or the client library, says when the same command may succeed later. */
const passing =
  /^(NOSCRIPT|OOM|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|MISCONF|NOREPLICAS)|writeable|Connection is closed|max retries|timed out|ECONN|EPIPE|aborted/i;

/**
 * The way to Redis of one node: a connection for batches, one for everything with a promise, and as many as asked for
 * that block. All of them come back by themselves.
 *
 * A command with a promise fails at once with `store-unavailable` while Redis is away: the caller decides whether to wait
 * (`patiently`) or to refuse. A batch waits by itself.
 */
export class RedisLink implements BatchLink, ScriptRunner {
  readonly keys: Keys;
  readonly settings: RedisSettings;
  readonly client: Redis;
  readonly #batches: Redis;
  readonly #others = new Set<Redis>();
  readonly #idle: RedisBatch[] = [];
  readonly #log: Logger;
  /** batches that Redis could not take yet, in the order in which they were committed */
  readonly #waiting: Sending[] = [];
  #retryTimer: NodeJS.Timeout | undefined;
  #retries = 0;
  #committed = 0;
  #closed = false;
  #awaySince = 0;
  #refusal = { text: '', at: -Infinity };
  /** how long the last batch took, in ms */
  lastBatchMs = 0;

  private constructor(settings: RedisSettings) {
    this.settings = settings;
    this.#log = settings.log ?? silentLog;
    this.keys = new Keys(settings.prefix);
    this.client = this.#connection({ enableAutoPipelining: true, commandTimeout: settings.commandTimeoutMs });
    this.#batches = this.#connection({});
    this.#batches.on('close', () => {
      if (this.#awaySince === 0) this.#awaySince = monotonicMs();
    });
    this.#batches.on('ready', () => {
      this.#awaySince = 0;
      this.#loadScripts();
      this.#goOn();
    });
  }

  /**
   * Connects. Rejects with `store-unavailable` when no connection could be made in time or Redis is older than 7.0
   * (streams that number themselves need it); the message says which.
   */
  static async open(settings: RedisSettings): Promise<RedisLink> {
    const link = new RedisLink(settings);
    try {
      await Promise.all([ready(link.client, settings), ready(link.#batches, settings)]);
      const info = String(await link.client.info('server'));
      const version = /redis_version:(\d+)/.exec(info)?.[1] ?? '0';
      if (Number(version) < oldestRedis) {
        throw new BrokerError('store-unavailable', `Redis at ${hidePassword(settings.url)} is version ${version}: 7.0 or newer is needed`);
      }
      return link;
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  /** Whether the next command has a chance. */
  get isReady(): boolean {
    return this.#batches.status === 'ready' && this.client.status === 'ready';
  }

  /** For how long Redis has been away, in ms; 0 when it is here. */
  get awayMs(): number {
    return this.#awaySince === 0 ? 0 : monotonicMs() - this.#awaySince;
  }

  /** What Redis says, when it is here but refuses what it is told (out of memory, disk full, read-only); null when it does not. */
  get refusal(): string | null {
    return monotonicMs() - this.#refusal.at < refusalMs ? this.#refusal.text : null;
  }

  /** An empty batch. The memory of an earlier one is used again, so replies are read in the turn of `done`. */
  begin(): RedisBatch {
    const batch = this.#idle.pop() ?? new RedisBatch(this);
    batch.reset();
    return batch;
  }

  /** A connection of its own for commands that block. It is closed by `disconnect`, or with the link. */
  blocking(): Redis {
    const redis = this.#connection({ enableOfflineQueue: true });
    this.#others.add(redis);
    redis.once('end', () => this.#others.delete(redis));
    return redis;
  }

  /** The options with which another package may open its own connections. */
  get options(): RedisOptions {
    return { ...urlOptions(this.settings), retryStrategy: (times) => backoffMs(reconnect, times) };
  }

  /** One command outside a batch; texts come as Buffers. Rejects with `store-unavailable` when Redis is away. */
  async command(name: string, ...args: Arg[]): Promise<Reply> {
    try {
      return await this.#call(name, args);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async evalScript(source: string, sha: string, keys: string[], args: Arg[]): Promise<Reply> {
    try {
      return await this.#call('EVALSHA', [sha, keys.length, ...keys, ...args]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw this.#failure(error);
      return this.command('EVAL', source, keys.length, ...keys, ...args);
    }
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

  send(batch: RedisBatch, slots: number[] | null, done: (error: Error | null) => void): void {
    if (this.#closed) {
      done(closedError());
      return;
    }
    const sending = { order: this.#committed++, batch, slots, done };
    if (this.#waiting.length > 0 || !this.#canWrite()) this.#wait(sending);
    else this.#write(sending);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    for (const redis of [this.client, this.#batches, ...this.#others]) redis.disconnect();
    for (const { done } of this.#waiting.splice(0)) done(closedError());
    await Promise.resolve();
  }

  #canWrite(): boolean {
    const { status, stream } = this.#batches as unknown as RawConnection;
    return status === 'ready' && stream.writable;
  }

  #wait(sending: Sending): void {
    if (this.#closed) {
      sending.done(closedError());
      return;
    }
    // one that was in flight may come back after a later one that found the connection broken
    const behind = this.#waiting.findLastIndex((other) => other.order < sending.order);
    this.#waiting.splice(behind + 1, 0, sending);
    this.#retryTimer ??= setTimeout(() => {
      this.#goOn();
    }, backoffMs(retry, ++this.#retries));
  }

  /** Sends what waits, in the order in which it was committed, so that messages keep theirs over an outage. */
  #goOn(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    const waiting = this.#waiting.splice(0);
    for (const sending of waiting) {
      if (this.#waiting.length > 0 || !this.#canWrite()) this.#wait(sending);
      else this.#write(sending);
    }
  }

  #write(sending: Sending): void {
    const { order, batch, slots, done } = sending;
    const connection = this.#batches as unknown as RawConnection;
    const wanted = slots === null ? batch.size : slots.length;
    const failed: number[] = [];
    let answered = 0;
    let scriptsUnknown = false;
    const began = monotonicMs();
    const watchdog = setTimeout(() => {
      this.#log.warn({ commands: wanted }, 'Redis did not answer a batch in time: connecting anew');
      this.#batches.disconnect(true);
    }, this.settings.commandTimeoutMs);
    const settle = (reply: Reply): void => {
      const slot = slots === null ? answered : slots[answered]!;
      answered++;
      if (!(reply instanceof Error)) {
        batch.settle(slot, reply);
      } else if (passing.test(reply.message)) {
        failed.push(slot);
        this.#note(reply);
        if (reply.message.startsWith('NOSCRIPT')) scriptsUnknown = true;
      } else {
        // Nothing that waiting would mend (a foreign value under our key, say): the reader of the slot decides.
        this.#log.error({ error: reply.message }, 'Redis refused a command');
        batch.settle(slot, reply);
      }
      if (answered < wanted) return;
      clearTimeout(watchdog);
      this.lastBatchMs = monotonicMs() - began;
      if (failed.length === 0) {
        this.#retries = 0;
        // used again only when everyone who awaits a batch of this turn has read its replies
        setImmediate(() => {
          if (this.#idle.length < 2) this.#idle.push(batch);
        });
        done(null);
        return;
      }
      if (scriptsUnknown) this.#loadScripts();
      this.#wait({ order, batch, slots: failed, done });
    };
    // One object stands for every command of the batch: the client library calls it once for each reply, in order.
    const command: RawCommand = { name: 'evalsha', args: [], resolve: settle, reject: settle };
    const item = { command, select: 0 };
    for (let i = 0; i < wanted; i++) connection.commandQueue.push(item);
    batch.writeTo(connection.stream, slots);
  }

  /** By the client library's method of that name: its `callBuffer` loses the name of the command when it pipelines by itself. */
  #call(name: string, args: Arg[]): Promise<Reply> {
    const methods = this.client as unknown as Record<string, (...args: Arg[]) => Promise<Reply>>;
    return methods[`${name.toLowerCase()}Buffer`]!(...args);
  }

  #loadScripts(): void {
    for (const script of allScripts) this.#batches.call('SCRIPT', 'LOAD', script.source).catch(() => undefined);
  }

  /** A connection on which a command timed out may be dead without knowing it: it is made anew. */
  #failure(error: unknown): BrokerError {
    if (error instanceof Error && error.message === 'Command timed out') this.client.disconnect(true);
    this.#note(error);
    return asUnavailable(error);
  }

  #note(error: unknown): void {
    if (error instanceof Error && refusing.test(error.message)) this.#refusal = { text: error.message, at: monotonicMs() };
  }

  #connection(extra: RedisOptions): Redis {
    const redis = new Redis({
      ...urlOptions(this.settings),
      connectTimeout: this.settings.connectTimeoutMs,
      keepAlive: 5000,
      noDelay: true,
      // What was sent and not answered is rejected when the connection ends; whoever sent it knows whether to repeat it.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      retryStrategy: (times) => (this.#closed ? null : backoffMs(reconnect, times)),
      ...extra,
    });
    let told = false;
    redis.on('error', (error: Error) => {
      if (!told) this.#log.warn({ redis: hidePassword(this.settings.url), error: error.message }, 'Redis is away: waiting for it');
      told = true;
    });
    redis.on('ready', () => {
      if (told) this.#log.info('Redis is back');
      told = false;
    });
    return redis;
  }
}

function closedError(): BrokerError {
  return new BrokerError('store-unavailable', 'the way to Redis is closed');
}

function urlOptions(settings: RedisSettings): RedisOptions {
  const url = new URL(settings.url);
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(url.port || 6379),
    db: Number(url.pathname.slice(1) || 0),
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

function ready(redis: Redis, settings: RedisSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    let last = 'no answer';
    const timer = setTimeout(() => {
      reject(new BrokerError('store-unavailable', `cannot reach Redis at ${hidePassword(settings.url)}: ${last}`));
    }, settings.connectTimeoutMs);
    redis.on('error', (error: Error) => (last = error.message));
    if (redis.status === 'ready') {
      clearTimeout(timer);
      resolve();
    } else {
      redis.once('ready', () => {
        clearTimeout(timer);
        resolve();
      });
    }
  });
}

/** Errors of the client library that mean "Redis is away" as `store-unavailable`; any other as it is. */
export function asUnavailable(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new BrokerError(passing.test(text) ? 'store-unavailable' : 'internal', `Redis: ${text}`, error);
}

function hidePassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
