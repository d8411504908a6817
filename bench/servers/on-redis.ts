import type { PeerOptions, Servers } from './peer.ts';
import type { ServerProcess } from './process.ts';
import { startRedis } from './redis.ts';

export interface Node {
  broker: ServerProcess;
  port: number;
}

/** Starts a Redis and nodes that share it, one after the other. */
export async function startOnRedis(
  options: PeerOptions,
  startNode: (index: number, redisPort: number) => Promise<Node>,
): Promise<Servers> {
  const redis = await startRedis(options.appendOnly);
  const nodes: Node[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(({ broker }) => broker.stop()));
    await redis.process.stop();
  };
  try {
    for (let index = 0; index < options.nodes; index++) nodes.push(await startNode(index, redis.port));
  } catch (error) {
    await stop();
    throw error;
  }
  const processes = nodes.map(({ broker }) => broker);
  return { ports: nodes.map(({ port }) => port), brokers: processes, processes, redis, stop };
}
