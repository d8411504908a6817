import { startOnRedis } from './on-redis.ts';
import type { Peer } from './peer.ts';
import { freePort, host, ServerProcess } from './process.ts';
import { redisVersion } from './redis.ts';
import { unhurried, ownVersion, swarmqFile } from './swarmq.ts';

const workers = 2;

/** Several nodes behind one port of this machine. */
export const swarmqWorkers: Peer = {
  name: 'swarmq-workers',
  title: `swarmq cluster, ${workers} workers behind one port, on Redis`,
  howToInstall: 'npm run build; apt-get install redis-server',

  version() {
    const redis = redisVersion();
    const own = ownVersion();
    return redis === null || own === null ? null : `${own}, redis ${redis}`;
  },

  async start(options) {
    const servers = await startOnRedis({ ...options, nodes: 1 }, (_, redisPort) => startCluster(options.nodeArgs, redisPort));
    const pids = servers.processes.flatMap(workersOf);
    return { ...servers, brokers: [...servers.brokers, ...pids.map((pid) => ({ pid }))] };
  },
};

async function startCluster(nodeArgs: readonly string[], redisPort: number): Promise<{ broker: ServerProcess; port: number }> {
  const port = await freePort();
  const flags = ['--nodes', String(workers), '--node-id', 'bench-', '--listen', `mqtt://${host}:${port}`, '--admin', `${host}:0`];
  const args = [...nodeArgs, swarmqFile, 'cluster', ...flags, '--redis', `redis://${host}:${redisPort}`, ...unhurried];
  const broker = await ServerProcess.start({ name: 'swarmq cluster', file: process.execPath, args, ready: { line: 'cluster ready' } });
  return { broker, port };
}

function workersOf(broker: ServerProcess): number[] {
  return (broker.announcement?.['nodes'] as { pid: number }[]).map(({ pid }) => pid);
}
