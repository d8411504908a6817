// TCP ports of 127.0.0.1.
import { createServer } from 'node:net';

/** Resolves with the port once it could be listened on, for 0 with one that the system chose; with null when it is busy. */
function tryPort(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const { port: taken } = server.address();
      server.close(() => resolve(taken));
    });
  });
}

/** A port that nothing listens on now. */
export async function freePort() {
  const port = await tryPort(0);
  if (port === null) throw new Error('no free port on 127.0.0.1');
  return port;
}

/** The first port from `port` on where `count` ports in a row are free. */
export async function firstFree(port, count = 1) {
  for (let first = port; first + count <= 65_536; first++) {
    let free = 0;
    while (free < count && (await tryPort(first + free)) !== null) free++;
    if (free === count) return first;
    first += free;
  }
  throw new Error(`no ${count} free ports in a row from ${port} on`);
}
