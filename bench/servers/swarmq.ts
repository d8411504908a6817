import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startOnRedis, type Node } from './on-redis.ts';
import type { Peer, Servers } from './peer.ts';
import { freePort, host, ServerProcess } from './process.ts';
import { redisVersion } from './redis.ts';
import { single } from './single.ts';

export const swarmqFile = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
/** No load balancer has to notice the end of a node here, and the rate of connects is what is measured. */
export const unhurried = ['--set', 'drain.graceMs=0', '--set', 'mqtt.connectsPerSecond=1000000'];

export function ownVersion(): string | null {
  if (!existsSync(swarmqFile)) return null;
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return `swarmq ${(JSON.parse(text) as { version: string }).version}`;
}

/** Swarmq alone, on its store in memory. */
export const swarmq: Peer = {
  name: 'swarmq',
  title: 'Swarmq, one node in memory',
  howToInstall: 'npm run build',
  version: ownVersion,

  async start({ nodeArgs }): Promise<Servers> {
    const { broker, port } = await startNode(nodeArgs, 0);
    return single(broker, port);
  },
};

/** Swarmq as a cluster is run: on Redis. */
export const swarmqOnRedis: Peer = {
  name: 'swarmq-redis',
  title: 'Swarmq on Redis',
  howToInstall: 'npm run build; apt-get install redis-server',

  version() {
    const redis = redisVersion();
    const own = ownVersion();
    return redis === null || own === null ? null : `${own}, redis ${redis}`;
  },

  start(options) {
    return startOnRedis(options, (index, redisPort) => startNode(options.nodeArgs, index, redisPort));
  },
};

/** One node; in memory without a Redis. */
export async function startNode(nodeArgs: readonly string[], index: number, redisPort?: number): Promise<Node> {
  const port = await freePort();
  const flags = ['--node-id', `bench-${index}`, '--listen', `mqtt://${host}:${port}`, ...unhurried];
  if (redisPort !== undefined) flags.push('--redis', `redis://${host}:${redisPort}`);
  const args = [...nodeArgs, swarmqFile, 'start', ...flags];
  const broker = await ServerProcess.start({ name: 'swarmq', file: process.execPath, args, ready: { line: 'ready' } });
  return { broker, port };
}
