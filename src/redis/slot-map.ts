import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Logger } from '../base/log.ts';
import type { RedisHost } from '../base/redis-url.ts';
import { credentials, type ConnectionSettings } from './connection.ts';
import { hashSlots } from './hash-slot.ts';

const againMs = 100;

/**
 * Which primary of a Redis Cluster has which hash slot, as far as this node has heard. Learned as a whole from any node of the
 * cluster, and slot by slot from those that say MOVED.
 */
export class SlotMap {
  readonly #settings: ConnectionSettings;
  readonly #log: Logger;
  readonly #onChange: () => void;
  readonly #owners: (RedisHost | undefined)[] = new Array<RedisHost | undefined>(hashSlots);
  /** all nodes that were ever heard of, replicas too, as `host:port` */
  readonly #known = new Map<string, RedisHost>();
  #refreshing: Promise<void> | null = null;
  #isClosed = false;

  constructor(settings: ConnectionSettings, onChange: () => void) {
    this.#settings = settings;
    this.#log = settings.log;
    this.#onChange = onChange;
    for (const host of settings.place.hosts) this.#known.set(nameOf(host), host);
  }

  ownerOf(hashSlot: number): RedisHost | undefined {
    return this.#owners[hashSlot];
  }

  /** The primaries that have slots. */
  get primaries(): readonly RedisHost[] {
    return [...new Map(this.#owners.flatMap((host) => (host === undefined ? [] : [[nameOf(host), host] as const]))).values()];
  }

  get isComplete(): boolean {
    return !this.#owners.includes(undefined);
  }

  /** A node said `MOVED` or `ASK`: `<word> <slot> <host>:<port>`. Gives the place; an empty host is that of the speaker. */
  heard(word: string, speaker: RedisHost): RedisHost {
    const [kind, slot = '', place = ''] = word.split(' ');
    const colon = place.lastIndexOf(':');
    const host = { host: place.slice(0, colon) || speaker.host, port: Number(place.slice(colon + 1)) };
    this.#known.set(nameOf(host), host);
    if (kind === 'MOVED') {
      this.#owners[Number(slot)] = host;
      void this.refresh();
    }
    return host;
  }

  /** Learns the whole map again; one question at a time, and not more often than a few times a second. */
  refresh(): Promise<void> {
    return (this.#refreshing ??= this.#askAround().finally(() => {
      this.#refreshing = null;
    }));
  }

  close(): void {
    this.#isClosed = true;
  }

  async #askAround(): Promise<void> {
    // the latest heard of first: the nodes in the URL may be gone
    for (const host of [...this.#known.values()].reverse()) {
      if (this.#isClosed) return;
      try {
        this.#learn(await this.#ask(host), host);
        this.#onChange();
        break;
      } catch (error) {
        this.#log.debug({ redis: nameOf(host), error: String(error) }, 'a node of the Redis Cluster cannot be asked for its slots');
      }
    }
    await pause(againMs, undefined, { ref: false });
  }

  async #ask(host: RedisHost): Promise<unknown> {
    const redis = new Redis({
      ...credentials(this.#settings.place),
      ...host,
      lazyConnect: true,
      enableReadyCheck: false,
      connectTimeout: Math.min(this.#settings.connectTimeoutMs, 2000),
      commandTimeout: 2000,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await redis.call('CLUSTER', 'SLOTS');
    } finally {
      redis.disconnect();
    }
  }

  #learn(reply: unknown, speaker: RedisHost): void {
    const ranges = reply as [number, number, ...[string | null, number][]][];
    if (!Array.isArray(reply) || ranges.length === 0) throw new Error('it knows of no slots');
    for (const [from, to, ...nodes] of ranges) {
      const hosts = nodes.map(([host, port]) => ({ host: host || speaker.host, port }));
      for (const host of hosts) this.#known.set(nameOf(host), host);
      for (let slot = from; slot <= to; slot++) this.#owners[slot] = hosts[0];
    }
  }
}

export function nameOf({ host, port }: RedisHost): string {
  return `${host}:${port}`;
}
