import { alone } from '../../cluster/alone.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { joinCluster } from '../../cluster/redis-cluster.ts';
import type { SystemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Config } from '../config/schema.ts';
import { RedisLink } from '../redis/connect.ts';
import { openMemoryStore } from '../store/memory/store.ts';
import { openRedisStore } from '../store/redis/store.ts';
import type { Store, StoreLimits } from '../store/store.ts';

/** What a node stands on: what is kept, and the other nodes. */
export interface State {
  readonly store: Store;
  readonly cluster: Cluster;
  close(): Promise<void>;
}

/**
 * Opens the store and the cluster that the configuration asks for: in Redis with `redis.url`, else one node alone in memory.
 * `facts` are what the node tells the others of itself.
 *
 * Rejects with `store-unavailable` when Redis cannot be reached.
 */
export async function openState(
  config: Config,
  tools: { readonly clock: SystemClock; readonly log: Logger; readonly metrics: Metrics },
  facts: Readonly<Record<string, string>>,
): Promise<State> {
  const limits = limitsOf(config);
  const { url } = config.redis;
  if (url === null) {
    const store = openMemoryStore(tools.clock, limits);
    return { store, cluster: alone(config.node.id), close: () => store.close() };
  }
  const { waitReplicas, waitTimeoutMs } = config.commit;
  const link = await RedisLink.open({ ...config.redis, url, waitReplicas, waitTimeoutMs, log: tools.log, metrics: tools.metrics });
  const store = openRedisStore(link, limits, tools.log);
  const { leaseMs, renewMs } = config.cluster;
  const cluster = joinCluster(link, { node: config.node.id, leaseMs, renewMs, facts, ...tools });
  return {
    store,
    cluster,
    close: async () => {
      await store.close();
      await link.close();
    },
  };
}

/** What the configuration says of how much the store keeps. */
export function limitsOf({ queue, mqtt, bridge, retained }: Config): StoreLimits {
  const { maxMessages, maxBytes, whenFull } = queue;
  return {
    queue: { maxMessages, maxBytes, dropsNewest: whenFull !== 'drop-oldest', window: mqtt.maxInflight },
    // the outbox's limit is kept, and counted, by the gate in front of it and by its leader: the stream's own is the last resort
    outboxMaxEntries: bridge.outbox.maxRecords * 2,
    retained,
  };
}
