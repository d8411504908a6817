import { fileURLToPath } from 'node:url';
import type { Peer, Servers } from './peer.ts';
import { freePort, ServerProcess } from './process.ts';
import { single } from './single.ts';

const file = fileURLToPath(new URL('floor-node.mjs', import.meta.url));

/** No broker: what its sockets and system calls cost any broker on Node. */
export const floor: Peer = {
  name: 'floor',
  title: 'The floor: Node\'s sockets, packets answered with bytes that are ready',
  howToInstall: 'npm ci',

  version() {
    return `floor: node ${process.versions.node}`;
  },

  async start({ nodeArgs }): Promise<Servers> {
    const port = await freePort();
    const args = [...nodeArgs, file, String(port)];
    const broker = await ServerProcess.start({ name: 'floor', file: process.execPath, args, ready: { line: 'ready' } });
    return single(broker, port);
  },
};
