import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { startCluster } from '../support/node.ts';
import { Load, quickLease } from './load.ts';
import { nobodyDied, notReady, readyAgain } from './operator.ts';

/** P1, P5, P10: Redis hangs with all connections open, and does afterwards what it was told in between. */
describe('a pause of Redis under load', function () {
  this.timeout(90_000);

  const set = { ...quickLease, 'redis.commandTimeoutMs': 1000 };

  it('shorter than the lease only holds acknowledgements', async () => {
    const cluster = await startCluster(3, { set });
    const load = new Load(cluster.nodes);
    await load.start();
    cluster.redis!.pause();
    await wait(1200);
    cluster.redis!.resume();
    await readyAgain(cluster.nodes);
    await load.flows();
    load.assertKept();
    await load.judge();
    await nobodyDied(cluster.nodes);
    await cluster.stop();
  });

  for (const seconds of [5, 30]) {
    it(`longer than the lease (${seconds} s) is sat out: nodes say why they are not ready, nobody is buried, clients stay`, async () => {
      const cluster = await startCluster(3, { set });
      const load = new Load(cluster.nodes);
      await load.start();
      cluster.redis!.pause();
      const pausedAt = performance.now();
      await notReady(cluster.nodes, /^redis: Redis has been away for \d+ ms: acknowledgements wait/);
      await notReady(cluster.nodes, /^lease: the lease is not renewed/);
      const { acknowledged } = load;
      await wait(seconds * 1000 - (performance.now() - pausedAt));
      assert.equal(load.acknowledged, acknowledged, 'acknowledgements wait');
      cluster.redis!.resume();
      await readyAgain(cluster.nodes);
      await load.flows();
      load.assertKept();
      await load.judge();
      await nobodyDied(cluster.nodes);
      await cluster.stop();
    });
  }
});
