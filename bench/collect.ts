import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { ServerProcess } from './servers/process.ts';

const waitMs = 5000;
const listening = /Debugger listening on (ws:\S+)/;

type Collected = Pick<ServerProcess, 'pid' | 'output' | 'runsOnNode'>;

/**
 * Has a server that runs on Node collect its garbage, through the inspector that SIGUSR1 opens; others are left alone. What is
 * resident otherwise depends on when V8 collected last: it varied between 2 and 11 KiB for one and the same idle connection.
 */
export async function collectGarbage(server: Collected): Promise<void> {
  if (!server.runsOnNode) return;
  process.kill(server.pid, 'SIGUSR1');
  const socket = new WebSocket(await addressOf(server));
  await once(socket, 'open');
  const answered = once(socket, 'message');
  socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
  await answered;
  socket.close();
  await once(socket, 'close');
}

async function addressOf(server: Collected): Promise<string> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const found = server.output.map((line) => listening.exec(line)?.[1]).find((address) => address !== undefined);
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`the inspector of process ${server.pid} did not open`);
    await pause(20);
  }
}
