import { createServer } from 'node:net';

// below the range from which the kernel gives ports to outgoing connections, so that none of those takes it first
const lowest = 12_000;
const highest = 32_000;

/** A TCP port that nothing on 127.0.0.1 listens on at this moment. Where a server can choose by itself, give it port 0 instead. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${lowest} and ${highest} in 100 attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
