import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';
import { TestProcess } from '../support/process.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { join, leaseMs, renewMs, settled, type Joined } from './joined.ts';

const program = fileURLToPath(new URL('./frozen-node.ts', import.meta.url));

describe('nodes: a process that is frozen and goes on', function () {
  this.timeout(40_000);
  let server: RedisServer;

  beforeEach(async () => {
    server = await startRedis();
  });

  async function startFrozen(): Promise<{ node: TestProcess; life: string }> {
    const args = ['--import', 'tsx', program, server.url, String(leaseMs), String(renewMs)];
    const node = new TestProcess(process.execPath, args, { name: 'frozen node' });
    const life = await node.line((line) => (line.startsWith('joined ') ? line.slice(7) : undefined), 'its life');
    return { node, life };
  }

  async function seeing(b: Joined, life: string): Promise<void> {
    await eventually(() => b.sees.includes(life), { what: 'sight of it' });
  }

  it('it is uncertain first, then fenced, and commits nothing before its new life', async () => {
    const b = await join(server, 'b');
    const { node, life } = await startFrozen();
    await seeing(b, life);
    node.freeze();
    await eventually(() => b.events.includes(`bury routes ${life}`), { what: 'burial' });
    assert.deepEqual(b.events, [`bury ${life} one`, `bury routes ${life}`]);
    node.thaw();
    await node.line((line) => (line === 'may commit' ? true : undefined), 'certainty');
    const told = node.lines.slice(1);
    assert.match(told.join(', '), /^(uncertain, )?fenced, (uncertain, )?reborn frozen#\d+, (certain, may commit|may commit.*)$/);
    await node.kill();
  });

  it('when nobody buried it, it renews and goes on as the same life', async () => {
    const { node, life } = await startFrozen();
    node.freeze();
    const redis = server.client();
    await eventually(async () => (await redis.get(`sq:n:{${life}}`)) === null, { what: 'end of the lease' });
    node.thaw();
    await node.line((line) => (line === 'may commit' ? true : undefined), 'certainty');
    assert.equal(node.lines[1], 'uncertain');
    assert.equal(node.output.includes('fenced'), false);
    assert.equal(await redis.get(`sq:n:{${life}}`), 'alive');
    await node.kill();
  });

  it('kill -9: its clients are buried', async () => {
    const b = await join(server, 'b');
    const { node, life } = await startFrozen();
    await seeing(b, life);
    await node.kill();
    await eventually(() => b.events.length === 2, { what: 'burial' });
    assert.deepEqual(b.events, [`bury ${life} one`, `bury routes ${life}`]);
    await settled(b);
  });
});
