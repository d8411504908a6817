import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startCluster } from '../support/node.ts';
import { startRedis } from '../support/redis.ts';
import { Device } from './device.ts';
import { enterRaw, flood, Sink, subscribeRaw } from './flood.ts';
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

  it('for want of disk: acknowledgements wait, readiness and metrics say so, and it goes on when there is room', async () => {
    const redis = await startRedis({ survivesFullDisk: true, args: ['--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0'] });
    const cluster = await startCluster(3, { redis: redis.url, set: quickLease });
    const load = new Load(cluster.nodes);
    await load.start();
    redis.fillDisk(50_000);
    await notReady(cluster.nodes, /^redis: Redis refuses what it is told, so acknowledgements wait: MISCONF/);
    assert.equal(await figure(cluster.nodes, 'swarmq_store_refuses'), 3);
    redis.emptyDisk();
    await readyAgain(cluster.nodes);
    await load.flows();
    load.assertKept();
    await load.judge();
    await nobodyDied(cluster.nodes);
    await cluster.stop();
    await redis.stop();
  });

  it('for want of memory: what subscribers acknowledge makes room, and publishers go on without an operator, in order', async () => {
    const cluster = await startCluster(1);
    const node = cluster.node(0);
    const redis = cluster.redis!.client();
    const slow = await enterRaw(node.port, 'slow', false);
    await subscribeRaw(slow, 'backlog', 1);
    slow.pause();
    const messages = 4000;
    await flood(await enterRaw(node.port, 'flooding'), 'backlog', messages, 5000);
    const ledger = new Ledger();
    const witness = new Device({ id: 'witness', ports: () => [node.port], ledger, subscribe: { filters: ['more/#'], qos: 2 } });
    const absent = new Device({ id: 'absent', ports: () => [node.port], ledger, subscribe: { filters: ['more/#'], qos: 2 } });
    const publisher = new Device({ id: 'publisher', ports: () => [node.port], ledger });
    await Promise.all([witness.ready(), absent.ready(), publisher.ready()]);
    absent.cut();
    absent.rest();
    publisher.pump([{ topic: 'more/1', qos: 1 }, { topic: 'more/2', qos: 2 }], 200);
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))![1]);
    await redis.config('SET', 'maxmemory', String(used + 50_000));
    await notReady([node], /^redis: Redis refuses what it is told/);
    const sink = new Sink(slow);
    await eventually(() => sink.count === messages, { withinMs: 30_000, what: () => `drain of the backlog (${sink.count} of ${messages})` });
    assert.equal(sink.gap, null);
    await readyAgain([node]);
    await publisher.settle();
    absent.comeBack();
    for (const { id } of [witness, absent]) await eventually(() => ledger.missing(id) === 0, { what: () => `the last ${ledger.missing(id)} messages at ${id}` });
    ledger.assertHolds();
    for (const device of [witness, absent, publisher]) device.leave();
    await cluster.stop();
  });
});
