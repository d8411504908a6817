import { existsSync } from 'node:fs';
import { mochiFile, mochiVersion } from '../../scripts/peers.mjs';
import type { Peer, Servers } from './peer.ts';
import { freePort, host, ServerProcess } from './process.ts';
import { single } from './single.ts';

/** Mochi knows no cluster: where a case asks for two nodes, this is one. */
export const mochi: Peer = {
  name: 'mochi',
  title: 'Mochi MQTT (Go), one process in memory',
  howToInstall: 'install Go, https://go.dev/dl',

  version() {
    return existsSync(mochiFile) ? `mochi ${mochiVersion}` : null;
  },

  async start(): Promise<Servers> {
    const port = await freePort();
    const [webSocket, info] = [await freePort(), await freePort()];
    const args = ['-tcp', `${host}:${port}`, '-ws', `${host}:${webSocket}`, '-info', `${host}:${info}`];
    const broker = await ServerProcess.start({ name: 'mochi', file: mochiFile, args, ready: { port } });
    return single(broker, port);
  },
};
