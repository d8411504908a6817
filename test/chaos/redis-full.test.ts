import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { startCluster } from '../support/node.ts';
import { Load, quickLease } from './load.ts';
import { figure, nobodyDied, notReady, readyAgain } from './operator.ts';

/** P1, P10: Redis is in reach and takes nothing. */
describe('a Redis that refuses writes under load', function () {
  this.timeout(90_000);

  it('for want of memory: acknowledgements wait, leases hold, and it goes on when there is room', async () => {
    const cluster = await startCluster(3, { set: quickLease });
    const redis = cluster.redis!.client();
    const load = new Load(cluster.nodes);
    await load.start();
    for (const forMs of [0, 2500]) {
      await redis.config('SET', 'maxmemory', '1mb');
      const full = /^redis: Redis refuses what it is told, so acknowledgements wait: OOM/;
      await notReady(cluster.nodes, full);
      const fullAt = performance.now();
      const { acknowledged } = load;
      do await notReady(cluster.nodes, full);
      while (performance.now() - fullAt < forMs);
      assert.equal(load.acknowledged, acknowledged, 'acknowledgements wait');
      assert.equal(await figure(cluster.nodes, 'swarmq_store_refuses'), 3);
      await redis.config('SET', 'maxmemory', '0');
      await readyAgain(cluster.nodes);
      await load.flows();
    }
    load.assertKept();
    await load.judge();
    await nobodyDied(cluster.nodes);
    await cluster.stop();
  });

  it('of any kind, longer than the lease: nobody is buried when it ends', async () => {
    const cluster = await startCluster(3, { set: quickLease });
    const redis = cluster.redis!.client();
    const load = new Load(cluster.nodes);
    await load.start();
    // what a full disk does too: every write is refused, reads go on
    await redis.config('SET', 'min-replicas-to-write', '1');
    await notReady(cluster.nodes, /^lease: the lease is not renewed/);
    await eventually(async () => (await redis.keys('sq:n:*}')).length === 0, { what: 'end of every lease' });
    // long enough for everyone to see it
    await wait(1000);
    await redis.config('SET', 'min-replicas-to-write', '0');
    await readyAgain(cluster.nodes);
    await load.flows();
    load.assertKept();
    await load.judge();
    await nobodyDied(cluster.nodes);
    await cluster.stop();
  });
});
