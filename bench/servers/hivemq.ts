import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hivemqFolder, hivemqVersion } from '../../scripts/peers.mjs';
import type { Peer, Servers } from './peer.ts';
import { freePort, host, ServerProcess } from './process.ts';
import { single } from './single.ts';

/** Everything in memory, and no limit in the way of a window. */
function configOf(port: number): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<hivemq>
  <listeners><tcp-listener><port>${port}</port><bind-address>${host}</bind-address></tcp-listener></listeners>
  <persistence><mode>in-memory</mode></persistence>
  <mqtt>
    <queued-messages><max-queue-size>1000000</max-queue-size></queued-messages>
    <receive-maximum><server-receive-maximum>65535</server-receive-maximum></receive-maximum>
  </mqtt>
  <anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>
</hivemq>
`;
}

/** The Community Edition knows no cluster: where a case asks for two nodes, this is one. */
export const hivemq: Peer = {
  name: 'hivemq',
  title: 'HiveMQ CE, one process in memory',
  howToInstall: 'apt-get install default-jdk-headless maven',

  version() {
    return existsSync(hivemqFolder) ? `hivemq-ce ${hivemqVersion}` : null;
  },

  async start(): Promise<Servers> {
    const port = await freePort();
    const directory = await mkdtemp(join(tmpdir(), 'swarmq-bench-hivemq-'));
    for (const folder of ['conf', 'data', 'extensions']) await mkdir(join(directory, folder));
    await writeFile(join(directory, 'conf', 'config.xml'), configOf(port));
    await writeFile(join(directory, 'conf', 'logback.xml'), '<configuration><root level="OFF"/></configuration>\n');
    const args = ['-cp', `${hivemqFolder}:${hivemqFolder}/*`, 'HiveMqNode', directory];
    const broker = await ServerProcess.start({ name: 'hivemq', file: 'java', args, ready: { port }, directory });
    return single(broker, port);
  },
};
