import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { atEnd } from './ends.ts';
import { eventually } from './eventually.ts';
import { temporaryFolder } from './folder.ts';
import { freePort } from './ports.ts';
import { TestProcess } from './process.ts';
import { startRedis, type RedisServer } from './redis.ts';

export interface SentinelOptions {
  readonly replicas?: number;
  readonly sentinels?: number;
}

const name = 'swarmq-test';
/** After so long without an answer a Sentinel takes a server for down. */
const downAfterMs = 1500;

/** A primary, its replicas, and the Sentinels that watch them. */
export class SentinelGroup {
  /** as a node's `redis.url` */
  readonly url: string;
  readonly servers: readonly RedisServer[];
  readonly #sentinels: readonly Redis[];
  readonly #processes: readonly TestProcess[];
  readonly #folder: { remove(): void };
  readonly #forget: () => void;

  constructor(servers: readonly RedisServer[], ports: readonly number[], processes: readonly TestProcess[], folder: { remove(): void }) {
    this.servers = servers;
    this.url = `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${name}`;
    this.#processes = processes;
    this.#folder = folder;
    this.#sentinels = ports.map((port) => {
      const redis = new Redis({ port, host: '127.0.0.1', enableReadyCheck: false });
      redis.on('error', () => undefined);
      return redis;
    });
    this.#forget = atEnd('Sentinels', () => this.stop());
  }

  /** The server that the Sentinels call primary. */
  async primary(): Promise<RedisServer> {
    const [, port] = (await this.#sentinels[0]!.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as string[];
    return this.servers.find((server) => server.port === Number(port))!;
  }

  /** Resolves once every Sentinel sees this many replicas of the primary that follow it, and all other Sentinels. */
  async settled(replicas = this.servers.length - 1): Promise<void> {
    await eventually(async () => (await Promise.all(this.#sentinels.map((sentinel) => this.#sees(sentinel, replicas)))).every(Boolean), {
      withinMs: 30_000,
      what: `${replicas} replicas in the eyes of every Sentinel`,
    });
  }

  /** Makes a replica the primary; the one before becomes a replica and goes on living. */
  async failover(): Promise<RedisServer> {
    const before = await this.primary();
    await this.#sentinels[0]!.call('SENTINEL', 'FAILOVER', name);
    return this.followed(before);
  }

  /** Resolves with the new primary once the Sentinels name another one than this. */
  async followed(before: RedisServer): Promise<RedisServer> {
    let now = before;
    await eventually(async () => (now = await this.primary()) !== before, { withinMs: 30_000, what: 'another primary' });
    return now;
  }

  async stop(): Promise<void> {
    this.#forget();
    for (const sentinel of this.#sentinels) sentinel.disconnect();
    await Promise.all(this.#processes.map((process) => process.stop()));
    await Promise.all(this.servers.map((server) => server.stop()));
    this.#folder.remove();
  }

  async #sees(sentinel: Redis, replicas: number): Promise<boolean> {
    const [primary, followers] = await Promise.all([
      sentinel.call('SENTINEL', 'MASTER', name) as Promise<string[]>,
      sentinel.call('SENTINEL', 'REPLICAS', name) as Promise<string[][]>,
    ]);
    const others = Number(factsOf(primary)['num-other-sentinels']);
    const good = followers.map(factsOf).filter(({ flags, ...more }) => flags === 'slave' && more['master-link-status'] === 'ok');
    return others === this.#sentinels.length - 1 && good.length >= replicas;
  }
}

export async function startSentinel({ replicas = 1, sentinels = 3 }: SentinelOptions = {}): Promise<SentinelGroup> {
  const primary = await startRedis({ appendonly: true });
  const followers = await Promise.all(
    Array.from({ length: replicas }, () => startRedis({ appendonly: true, args: ['--replicaof', '127.0.0.1', String(primary.port)] })),
  );
  const folder = temporaryFolder('sentinel');
  const ports: number[] = [];
  for (let i = 0; i < sentinels; i++) ports.push(await freePort());
  const processes = ports.map((port) => {
    const file = join(folder.path, `${port}.conf`);
    writeFileSync(file, [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder.path}`,
      `sentinel monitor ${name} 127.0.0.1 ${primary.port} ${Math.floor(sentinels / 2) + 1}`,
      `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
      `sentinel failover-timeout ${name} 5000`,
      '',
    ].join('\n'));
    return new TestProcess('redis-sentinel', [file], { name: `redis-sentinel ${port}`, unowned: true });
  });
  const group = new SentinelGroup([primary, ...followers], ports, processes, folder);
  await Promise.all(processes.map((process) => process.line((line) => (line.includes('+monitor') ? true : undefined), 'a Sentinel that watches')));
  await group.settled();
  return group;
}

function factsOf(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(flat.flatMap((key, i) => (i % 2 === 0 ? [[key, flat[i + 1] ?? ''] as const] : [])));
}
