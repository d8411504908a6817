import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';
import { TestProcess } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

type Line = Readonly<Record<string, unknown>>;

/** A running `swarmq` whose log can be read. */
class Swarmq {
  readonly process: TestProcess;

  constructor(...args: string[]) {
    const flags = ['--import', 'tsx', 'src/cli/main.ts', ...args, '--set', 'drain.graceMs=0'];
    // what the shell sets for Swarmq would be taken for options
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SWARMQ_')));
    this.process = new TestProcess(process.execPath, flags, { name: `swarmq ${args[0]}`, cwd: root, env });
  }

  logged(msg: string): Promise<Line> {
    return this.process.line((line) => {
      const entry = line.startsWith('{') ? (JSON.parse(line) as Line) : {};
      return entry['msg'] === msg ? entry : undefined;
    }, `the log line "${msg}"`);
  }

  async exitCode(): Promise<number | null> {
    return (await this.process.exited).code;
  }
}

async function busyPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  atEnd('a busy port', () => void server.close());
  return (server.address() as AddressInfo).port;
}

function isListening(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => {
      resolve(false);
    });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

describe('swarmq start', () => {
  it('runs alone without Redis, and says so; says where clients connect; drains, stops and ends with 0 at SIGTERM', async () => {
    const node = new Swarmq('start', '--node-id', 'n1', '--listen', 'mqtt://127.0.0.1:0', '--listen', 'ws://127.0.0.1:0', '--admin', '127.0.0.1:0');
    const { node: id, addresses, admin } = await node.logged('ready');
    assert.equal(id, 'n1');
    assert.match(node.process.output, /no Redis is configured: this node runs alone/);
    assert.match(String(admin), /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    assert.equal((addresses as string[]).length, 2);
    for (const address of addresses as string[]) assert.ok(await isListening(address), address);
    await node.process.kill('SIGTERM');
    assert.equal(await node.exitCode(), 0);
    assert.match(node.process.output, /"msg":"stopped"/);
  });

  it('stops and ends with 0 at SIGINT', async () => {
    const node = new Swarmq('start', '--listen', 'mqtt://127.0.0.1:0');
    await node.logged('ready');
    await node.process.kill('SIGINT');
    assert.equal(await node.exitCode(), 0);
  });

  it('is loud about allowAnonymous', async () => {
    const node = new Swarmq('start', '--listen', 'mqtt://127.0.0.1:0', '--allow-anonymous');
    await node.logged('allowAnonymous is set: whoever reaches a listener can read and write every topic');
    await node.logged('ready');
  });

  it('takes over a new log level at SIGHUP, and names what needs a restart', async () => {
    const folder = temporaryFolder('reload');
    atEnd('the configuration', folder.remove);
    const file = join(folder.path, 'swarmq.yaml');
    writeFileSync(file, '{}');
    const node = new Swarmq('start', '--listen', 'mqtt://127.0.0.1:0', '--config', file);
    await node.logged('ready');
    writeFileSync(file, 'log:\n  level: debug\nmqtt:\n  maxInflight: 5\n');
    await node.process.kill('SIGHUP');
    const { changed, needRestart } = await node.logged('configuration read again');
    assert.deepEqual({ changed, needRestart }, { changed: ['log.level'], needRestart: ['mqtt.maxInflight'] });
    writeFileSync(file, 'log:\n  levle: debug\n');
    await node.process.kill('SIGHUP');
    await node.logged('configuration not taken over');
  });

  it('ends with 4 when the address is in use', async () => {
    const port = await busyPort();
    const node = new Swarmq('start', '--listen', `mqtt://127.0.0.1:${port}`);
    assert.equal(await node.exitCode(), 4);
    assert.match(node.process.output, /cannot start/);
  });

  it('ends with 5 when Redis cannot be reached', async () => {
    const node = new Swarmq('start', '--listen', 'mqtt://127.0.0.1:0', '--redis', 'redis://127.0.0.1:1', '--set', 'redis.connectTimeoutMs=300');
    assert.equal(await node.exitCode(), 5);
  });
});

describe('swarmq cluster', () => {
  interface Node {
    readonly id: string;
    readonly pid: number;
    readonly direct: string;
    readonly admin: string;
  }

  it('runs nodes behind one address, starts a killed one again at its own port, and stops all at SIGTERM', async function () {
    this.timeout(60_000);
    const redis = await startRedis();
    const args = ['--nodes', '3', '--node-id', 'n', '--listen', 'mqtt://127.0.0.1:0', '--redis', redis.url, '--admin', '127.0.0.1:0'];
    const cluster = new Swarmq('cluster', ...args);
    const ready = await cluster.logged('cluster ready');
    const nodes = ready['nodes'] as Node[];
    assert.deepEqual(nodes.map(({ id }) => id), ['n1', 'n2', 'n3']);
    const addresses = [String(ready['endpoint']), ...nodes.flatMap(({ direct, admin }) => [direct, admin])];
    assert.equal(new Set(addresses).size, 7);
    for (const address of addresses) assert.ok(await isListening(address), address);

    const [first, second] = nodes;
    process.kill(second?.pid ?? 0, 'SIGKILL');
    const again = await cluster.logged('node ready again');
    assert.deepEqual([again['id'], again['direct'], again['admin']], [second?.id, second?.direct, second?.admin]);
    assert.notEqual(again['pid'], second?.pid);

    await cluster.process.kill('SIGTERM');
    assert.equal(await cluster.exitCode(), 0);
    await eventually(async () => !(await isListening(first?.direct ?? '')), { what: 'end of the nodes' });
    assert.equal(cluster.process.output.match(/"msg":"stopped"/g)?.length, 3);
  });

  it('ends with 4 when the shared address is in use', async () => {
    const port = await busyPort();
    const cluster = new Swarmq('cluster', '--listen', `mqtt://127.0.0.1:${port}`, '--redis', 'redis://127.0.0.1:1');
    assert.equal(await cluster.exitCode(), 4);
  });

  it('ends with 5 when Redis cannot be reached', async () => {
    const args = ['--nodes', '2', '--listen', 'mqtt://127.0.0.1:0', '--redis', 'redis://127.0.0.1:1', '--set', 'redis.connectTimeoutMs=300'];
    const cluster = new Swarmq('cluster', ...args);
    assert.equal(await cluster.exitCode(), 5);
    assert.match(cluster.process.output, /a node could not start/);
  });
});
