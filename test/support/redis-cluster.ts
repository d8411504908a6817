import type { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { startRedis, type RedisServer } from './redis.ts';

const hashSlots = 16_384;
/** After so long without an answer the nodes take another one for down. */
const nodeTimeoutMs = 1500;

export interface RedisClusterOptions {
  readonly primaries?: number;
  readonly replicas?: number;
}

/** A real Redis Cluster on loopback: primaries that share the slots evenly, and replicas of each. */
export class RedisCluster {
  /** as a node's `redis.url` */
  readonly url: string;
  readonly servers: readonly RedisServer[];
  readonly #clients: ReadonlyMap<RedisServer, Redis>;

  constructor(servers: readonly RedisServer[]) {
    this.servers = servers;
    this.url = `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
    this.#clients = new Map(servers.map((server) => [server, server.client({ retryStrategy: () => 100, maxRetriesPerRequest: 1 })]));
  }

  client(server: RedisServer): Redis {
    return this.#clients.get(server)!;
  }

  /** The server that has this slot, as the first server that answers sees it. */
  async ownerOf(hashSlot: number): Promise<RedisServer> {
    for (const client of this.#clients.values()) {
      if (client.status !== 'ready') continue;
      const ranges = (await client.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
      const range = ranges.find(([from, to]) => from <= hashSlot && hashSlot <= to);
      if (range !== undefined) return this.servers.find(({ port }) => port === range[2][1])!;
    }
    throw new Error(`nobody has slot ${hashSlot}`);
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.client(this.servers[0]!).call('CLUSTER', 'KEYSLOT', key));
  }

  /** Moves a slot with all its keys to another primary, a few keys at a time. */
  async move(hashSlot: number, to: RedisServer, between: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const from = await this.ownerOf(hashSlot);
    if (from === to) return;
    const [source, target] = [this.client(from), this.client(to)];
    const [sourceId, targetId] = await Promise.all([source.call('CLUSTER', 'MYID'), target.call('CLUSTER', 'MYID')]) as [string, string];
    await target.call('CLUSTER', 'SETSLOT', hashSlot, 'IMPORTING', sourceId);
    await source.call('CLUSTER', 'SETSLOT', hashSlot, 'MIGRATING', targetId);
    await between();
    for (;;) {
      const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', hashSlot, 2)) as string[];
      if (keys.length === 0) break;
      await source.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
      await between();
    }
    await target.call('CLUSTER', 'SETSLOT', hashSlot, 'NODE', targetId);
    await source.call('CLUSTER', 'SETSLOT', hashSlot, 'NODE', targetId);
  }

  /** Resolves once every server that runs sees a cluster that serves every slot. */
  async settled(): Promise<void> {
    await eventually(
      async () => {
        const states = await Promise.all([...this.#clients.values()].filter(({ status }) => status === 'ready').map((client) => client.call('CLUSTER', 'INFO')));
        return states.length > 0 && states.every((state) => String(state).includes('cluster_state:ok'));
      },
      { withinMs: 30_000, what: 'Redis Cluster that serves every slot' },
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

export async function startRedisCluster({ primaries = 3, replicas = 0 }: RedisClusterOptions = {}): Promise<RedisCluster> {
  const busPorts: number[] = [];
  while (busPorts.length < primaries * (1 + replicas)) busPorts.push(await freePort());
  const common = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-allow-replica-migration', 'no'];
  const servers = await Promise.all(busPorts.map((port) => startRedis({ args: [...common, '--cluster-port', String(port)] })));
  const cluster = new RedisCluster(servers);
  for (let i = 0; i < primaries; i++) {
    const [from, to] = [Math.ceil((i * hashSlots) / primaries), Math.ceil(((i + 1) * hashSlots) / primaries) - 1];
    await cluster.client(servers[i]!).call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    await cluster.client(servers[i]!).call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
  }
  for (const [i, { port }] of servers.entries()) await cluster.client(servers[0]!).call('CLUSTER', 'MEET', '127.0.0.1', port, busPorts[i]!);
  await eventually(
    async () => {
      const known = await Promise.all(servers.map((server) => cluster.client(server).call('CLUSTER', 'NODES')));
      return known.every((nodes) => String(nodes).trim().split('\n').filter((line) => !line.includes('handshake')).length === servers.length);
    },
    { withinMs: 20_000, what: 'Redis nodes that know each other' },
  );
  for (let i = primaries; i < servers.length; i++) {
    const id = await cluster.client(servers[i % primaries]!).call('CLUSTER', 'MYID');
    await cluster.client(servers[i]!).call('CLUSTER', 'REPLICATE', String(id));
  }
  await eventually(
    async () => {
      const roles = await Promise.all(servers.slice(primaries).map((server) => cluster.client(server).info('replication')));
      return roles.every((role) => role.includes('master_link_status:up'));
    },
    { withinMs: 20_000, what: 'replicas that follow' },
  );
  await cluster.settled();
  return cluster;
}
