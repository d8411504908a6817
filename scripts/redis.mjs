// A private Redis on loopback that keeps an append-only file in `dir`.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { startChild } from './child.mjs';
import { ensureCommands, run } from './install.mjs';
import { freePort } from './ports.mjs';

const oldest = 7;
const readyWithinMs = 60_000;

/** Starts redis-server and resolves once it has loaded what the folder holds. */
export async function startRedis({ dir, logFile }) {
  ensureCommands('redis-server');
  const words = run('redis-server', ['--version']);
  const version = /v=(\d+)/.exec(words)?.[1];
  if (Number(version) < oldest) throw new Error(`needs Redis ${oldest} or newer, found: ${words.trim()}; give another one with --redis URL`);

  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no'];
  const durability = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''];
  const log = openSync(logFile, 'a');
  const server = startChild('redis-server', [...place, ...durability], { stdio: ['ignore', log, log], detached: true });
  closeSync(log);

  const deadline = performance.now() + readyWithinMs;
  while (!(await answersPing(port))) {
    if (server.hasEnded || performance.now() > deadline) {
      await server.end('SIGKILL');
      throw new Error(`redis-server did not get ready; see ${logFile}`);
    }
    await wait(50);
  }
  return { url: `redis://127.0.0.1:${port}`, pid: server.pid, exited: server.exited, stop: () => server.end('SIGTERM') };
}

/** While it loads its file, Redis answers with an error instead. */
function answersPing(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'));
    const finish = (isReady) => {
      socket.destroy();
      resolve(isReady);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('data', (bytes) => finish(bytes.toString().startsWith('+PONG')));
  });
}
