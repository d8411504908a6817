import { fileURLToPath } from 'node:url';
import { startOnRedis, type Node } from './on-redis.ts';
import type { Peer, Servers } from './peer.ts';
import { freePort, ServerProcess } from './process.ts';
import { redisVersion } from './redis.ts';
import { single } from './single.ts';
import { versionOfPackage } from './version.ts';

const file = fileURLToPath(new URL('aedes-node.mjs', import.meta.url));

/** Aedes knows no cluster without Redis: one node, in memory. */
export const aedes: Peer = {
  name: 'aedes',
  title: 'Aedes, one process in memory',
  howToInstall: 'npm ci',

  version() {
    return `aedes ${versionOfPackage('aedes')}`;
  },

  async start({ nodeArgs }): Promise<Servers> {
    const { broker, port } = await startNode(nodeArgs);
    return single(broker, port);
  },
};

/** The stack one gets from packages. */
export const stock: Peer = {
  name: 'stock',
  title: 'Aedes + aedes-persistence-redis + mqemitter-redis',
  howToInstall: 'apt-get install redis-server',

  version() {
    const redis = redisVersion();
    const packages = ['aedes', 'aedes-persistence-redis', 'mqemitter-redis'];
    if (redis === null) return null;
    return [...packages.map((name) => `${name} ${versionOfPackage(name)}`), `redis ${redis}`].join(', ');
  },

  start(options) {
    return startOnRedis(options, (_, redisPort) => startNode(options.nodeArgs, redisPort));
  },
};

async function startNode(nodeArgs: readonly string[], ...redisPort: number[]): Promise<Node> {
  const port = await freePort();
  const args = [...nodeArgs, file, port, ...redisPort].map(String);
  const broker = await ServerProcess.start({ name: 'aedes', file: process.execPath, args, ready: { line: 'ready' } });
  return { broker, port };
}
