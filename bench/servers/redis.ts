import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, host, ServerProcess } from './process.ts';
import { versionOfProgram } from './version.ts';

/** Commands that take less are not told of. */
const slowMicros = 1000;

export interface RedisServer {
  process: ServerProcess;
  port: number;
}

export function redisVersion(): string | null {
  return versionOfProgram('redis-server', '--version', /v=(\S+)/);
}

/** A private Redis without snapshots, in a directory of its own that goes with it. */
export async function startRedis(appendOnly: boolean): Promise<RedisServer> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'swarmq-bench-redis-'));
  const settings = {
    bind: host,
    port: String(port),
    dir: directory,
    save: '',
    appendonly: appendOnly ? 'yes' : 'no',
    'slowlog-log-slower-than': String(slowMicros),
    'slowlog-max-len': '1000',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return { process: await ServerProcess.start({ name: 'redis-server', file: 'redis-server', args, ready: { port }, directory }), port };
}
