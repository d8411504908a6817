import assert from 'node:assert/strict';
import { collectGarbage } from '../../bench/collect.ts';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestNode } from '../support/node.ts';
import { leftovers, weightOf, type Weight } from './leftovers.ts';
import { figure } from './operator.ts';

/** SWARMQ_SOAK_SECONDS=1800 for the long form. */
const seconds = Number(process.env['SWARMQ_SOAK_SECONDS'] ?? 15);
const atOnce = 20;
const mostGrowthMiB = 100;

/** P9: whatever clients do, nothing of them is left when they are gone. */
describe(`${seconds} seconds of clients that come, subscribe, publish and leave`, function () {
  this.timeout((seconds + 120) * 1000);

  it('leave memory, file descriptors and Redis as they were', async () => {
    // an inspector that is opened takes a free port
    const cluster = await startCluster(2, { execArgv: ['--inspect-port=0'] });
    const redis = cluster.redis!.client();
    let lives = 0;
    const live = async (): Promise<void> => {
      const n = lives++;
      const port = cluster.node(n % 2).port;
      const clientId = `soak-${n}`;
      const will = { topic: `soak/wills/${n}`, payload: Buffer.from('x'), qos: 1 as const, retain: false };
      const client = await connectClient(port, { clientId, clean: n % 3 !== 0, will });
      await client.subscribe([`soak/${n}/#`, `soak/+/${n % 7}`, '$share/soak/soak/#'], 2);
      for (const qos of [0, 1, 2] as const) await client.publish(`soak/${n}/${qos}`, 'x', { qos });
      await client.publish(`soak/state/${n}`, 'x', { qos: 1, retain: true });
      await client.publish(`soak/state/${n}`, '', { qos: 1, retain: true });
      await client.received(2);
      if (n % 5 === 0) client.drop();
      else await client.end();
      // a session that lives on is ended elsewhere
      await (await connectClient(cluster.node((n + 1) % 2).port, { clientId, clean: true })).end();
    };
    const churn = async (untilMs: number): Promise<void> => {
      const until = performance.now() + untilMs;
      await Promise.all(Array.from({ length: atOnce }, async () => {
        while (performance.now() < until) await live();
      }));
      await eventually(async () => (await figure(cluster.nodes, 'swarmq_sessions')) === 0, { withinMs: 30_000, what: 'end of all sessions' });
    };
    // what is garbage says nothing: V8 lets a hundred MiB of it gather when lives are short
    const weigh = async (node: TestNode): Promise<Weight> => {
      await collectGarbage({ pid: node.pid, runsOnNode: true, get output() { return node.output.split('\n'); } });
      return weightOf(node.pid);
    };
    const descriptors = (): number[] => cluster.nodes.map(({ pid }) => weightOf(pid).descriptors);
    await churn(3000);
    const before: Weight[] = [];
    for (const node of cluster.nodes) before.push(await weigh(node));
    await churn(seconds * 1000);
    assert.ok(lives > 100, `${lives} lives`);
    let left: string[] = [];
    await eventually(async () => (left = await leftovers(redis)).length === 0, { withinMs: 30_000, what: () => `empty Redis: ${left.slice(0, 5).join('; ')}` });
    await eventually(() => descriptors().every((count, i) => count <= before[i]!.descriptors), { withinMs: 15_000, what: () => `closed descriptors: ${descriptors().join(', ')}` });
    for (const [i, node] of cluster.nodes.entries()) {
      const grown = (await weigh(node)).residentMiB - before[i]!.residentMiB;
      assert.ok(grown < mostGrowthMiB, `node ${i} grew by ${grown} MiB in ${lives} lives`);
    }
    await cluster.stop();
  });
});
