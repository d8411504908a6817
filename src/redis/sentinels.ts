import { Redis, type RedisOptions } from 'ioredis';
import { backoffMs } from '../base/backoff.ts';
import { silentLog, type Logger } from '../base/log.ts';
import type { RedisHost, RedisPlace } from '../base/redis-url.ts';

export interface SentinelSettings {
  readonly place: RedisPlace;
  readonly password: string | null;
  readonly connectTimeoutMs: number;
  readonly log?: Logger;
}

const reconnect = { firstMs: 100, mostMs: 5000 };
const channel = '+switch-master';
/** For so long the others are waited for when one has answered. */
const othersMs = 200;

/**
 * The Sentinels of one primary: where it is, and a word when it is elsewhere.
 *
 * All of them are asked at once, and the one that knows the newest configuration is believed: a Sentinel that was cut off from
 * the others goes on to name the old primary.
 */
export class Sentinels {
  readonly #settings: SentinelSettings;
  readonly #onSwitch: () => void;
  readonly #log: Logger;
  readonly #watchers: readonly Redis[];
  /** all that were ever heard of, as `host:port` */
  readonly #known = new Map<string, RedisHost>();
  #asking: Promise<RedisHost> | null = null;

  constructor(settings: SentinelSettings, onSwitch: () => void) {
    this.#settings = settings;
    this.#onSwitch = onSwitch;
    this.#log = settings.log ?? silentLog;
    for (const host of settings.place.hosts) this.#learn(host);
    this.#watchers = settings.place.hosts.map((host) => this.#watch(host));
  }

  /** Where the primary is. Rejects when no Sentinel that answers knows it. */
  locate(): Promise<RedisHost> {
    return (this.#asking ??= this.#askAll().finally(() => {
      this.#asking = null;
    }));
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.disconnect();
  }

  async #askAll(): Promise<RedisHost> {
    let newest: Answer | null = null;
    let failure: unknown = null;
    let hurry: (() => void) | undefined;
    const enough = new Promise<void>((resolve) => (hurry = resolve));
    let timer: NodeJS.Timeout | undefined;
    const asked = [...this.#known.values()].map(async (host) => {
      try {
        const answer = await this.#ask(host);
        if (newest === null || answer.epoch > newest.epoch) newest = answer;
        timer ??= setTimeout(() => hurry?.(), othersMs);
      } catch (error) {
        failure ??= error;
      }
    });
    await Promise.race([Promise.all(asked), enough]);
    clearTimeout(timer);
    const found = newest as Answer | null;
    if (found !== null) return found.primary;
    const text = failure instanceof Error ? failure.message : String(failure);
    throw new Error(`no Sentinel tells where ${this.#settings.place.primary} is: ${text}`);
  }

  async #ask(host: RedisHost): Promise<Answer> {
    const { place, connectTimeoutMs } = this.#settings;
    const sentinel = new Redis({ ...this.#options(host), lazyConnect: true, retryStrategy: () => null, commandTimeout: connectTimeoutMs });
    // whatever is wrong, the question fails
    sentinel.on('error', () => undefined);
    try {
      await sentinel.connect();
      const [primary, others] = await Promise.all([
        sentinel.call('SENTINEL', 'MASTER', place.primary),
        sentinel.call('SENTINEL', 'SENTINELS', place.primary).catch(() => []),
      ]);
      for (const other of listOf(others)) {
        const { ip = '', port = '' } = pairsOf(other);
        if (ip !== '') this.#learn({ host: ip, port: Number(port) });
      }
      const facts = pairsOf(primary);
      return { primary: { host: facts['ip'] ?? '', port: Number(facts['port']) }, epoch: Number(facts['config-epoch'] ?? 0) };
    } finally {
      sentinel.disconnect();
    }
  }

  #learn(host: RedisHost): void {
    // those in the URL come first and are never forgotten; more than this are not asked
    if (this.#known.size < 32) this.#known.set(`${host.host}:${host.port}`, host);
  }

  #watch(host: RedisHost): Redis {
    const watcher = new Redis({
      ...this.#options(host),
      autoResubscribe: false,
      retryStrategy: (times) => backoffMs(reconnect, times),
    });
    watcher.on('error', (error: Error) => {
      this.#log.debug({ sentinel: `${host.host}:${host.port}`, error: error.message }, 'a Sentinel cannot be reached');
    });
    watcher.on('ready', () => {
      watcher.subscribe(channel).then(this.#onSwitch, () => undefined);
    });
    watcher.on('message', (_, text: string) => {
      if (text.startsWith(`${this.#settings.place.primary} `)) this.#onSwitch();
    });
    return watcher;
  }

  #options({ host, port }: RedisHost): RedisOptions {
    const { place, password, connectTimeoutMs } = this.#settings;
    const tls = place.tls ? { tls: {} } : {};
    return { host, port, connectTimeout: connectTimeoutMs, enableReadyCheck: false, maxRetriesPerRequest: 0, ...(password === null ? {} : { password }), ...tls };
  }
}

interface Answer {
  readonly primary: RedisHost;
  readonly epoch: number;
}

function listOf(reply: unknown): unknown[] {
  return Array.isArray(reply) ? reply : [];
}

/** A flat list of names and values. */
function pairsOf(reply: unknown): Record<string, string> {
  const flat = listOf(reply).map(String);
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : [])));
}
