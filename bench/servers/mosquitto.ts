import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peer, Servers } from './peer.ts';
import { freePort, host, ServerProcess } from './process.ts';
import { single } from './single.ts';
import { versionOfProgram } from './version.ts';

const file = 'mosquitto';

/** As fast as its settings make it: no limit on what is in flight or queued, nothing on disk, no log. */
function configOf(port: number): string {
  return `${[
    `listener ${port} ${host}`,
    'allow_anonymous true',
    'persistence false',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'max_queued_bytes 0',
    'set_tcp_nodelay true',
    'log_type none',
  ].join('\n')}\n`;
}

/** mosquitto knows no cluster: where a case asks for two nodes, this is one. */
export const mosquitto: Peer = {
  name: 'mosquitto',
  title: 'mosquitto, one process in memory',
  howToInstall: 'apt-get install mosquitto',

  version() {
    const version = versionOfProgram(file, '-h', /mosquitto version (\S+)/);
    return version === null ? null : `mosquitto ${version}`;
  },

  async start(): Promise<Servers> {
    const port = await freePort();
    const directory = await mkdtemp(join(tmpdir(), 'swarmq-bench-mosquitto-'));
    const config = join(directory, 'mosquitto.conf');
    await writeFile(config, configOf(port));
    const args = ['-c', config];
    const broker = await ServerProcess.start({ name: 'mosquitto', file, args, ready: { port }, directory });
    return single(broker, port);
  },
};
