import assert from 'node:assert/strict';
import { startCluster } from '../support/node.ts';
import { startRedis } from '../support/redis.ts';
import { Load, quickLease } from './load.ts';
import { nobodyDied, notReady, readyAgain } from './operator.ts';

/** P1, P5, P10: Redis dies and comes back with what it had written; nodes and clients wait for it. */
describe('kill -9 and restart of Redis under load', function () {
  this.timeout(90_000);

  it('is sat out: clients stay, acknowledgements wait, nothing acknowledged is lost, nobody is buried', async () => {
    const redis = await startRedis({ appendonly: true });
    const cluster = await startCluster(3, { redis: redis.url, set: quickLease });
    const load = new Load(cluster.nodes);
    await load.start();
    for (const isLong of [false, true]) {
      await redis.kill();
      await notReady(cluster.nodes, /^redis: Redis has been away for \d+ ms: acknowledgements wait/);
      const { acknowledged } = load;
      if (isLong) await notReady(cluster.nodes, /^lease: the lease is not renewed/);
      assert.equal(load.acknowledged, acknowledged, 'acknowledgements wait');
      await redis.restart();
      await readyAgain(cluster.nodes);
      await load.flows();
    }
    load.assertKept();
    await load.judge();
    await nobodyDied(cluster.nodes);
    await cluster.stop();
    await redis.stop();
  });
});
