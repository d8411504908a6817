import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { hashSlotOf } from '../../src/redis/hash-slot.ts';
import { Keys } from '../../src/redis/keys.ts';
import { connectClient } from '../support/client.ts';
import { eventually, within } from '../support/eventually.ts';
import { startCluster } from '../support/node.ts';
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.ts';
import { Load, quickLease } from './load.ts';
import { notReady, readyAgain } from './operator.ts';

const keys = new Keys('sq:');

/** P1, P4, P5 on a Redis Cluster of three primaries and three replicas. */
describe('Redis Cluster under load', function () {
  this.timeout(120_000);

  let redis: RedisCluster;

  beforeEach(async () => {
    redis = await startRedisCluster({ primaries: 3, replicas: 1 });
  });

  it('slots of live sessions, of the routes and of inboxes move while messages flow: nothing is lost, QoS 2 comes once', async () => {
    const cluster = await startCluster(3, { redis: redis.url, set: quickLease });
    const load = new Load(cluster.nodes);
    await load.start();
    const places = [...load.devices.map(({ id }) => keys.session(id)), keys.routes(), keys.members()];
    for (let round = 0; round < 2; round++) {
      for (const key of places) {
        const hashSlot = hashSlotOf(key);
        const owner = await redis.ownerOf(hashSlot);
        const to = redis.servers.slice(0, 3).find((server) => server !== owner)!;
        // long enough for commits that find the slot half here and half there
        await redis.move(hashSlot, to, () => pause(10));
      }
    }
    await load.flows();
    load.assertKept();
    await load.judge();
    await cluster.stop();
    await redis.stop();
  });

  it('a node is killed: its sessions go on at another one without waiting for its lease, and its will fires once', async () => {
    const slowLease = { 'cluster.leaseMs': 20_000, 'cluster.renewMs': 1000 };
    const cluster = await startCluster(2, { redis: redis.url, set: slowLease });
    const [here, there] = [cluster.node(0), cluster.node(1)];
    const watcher = await connectClient(there.url, { clientId: 'watcher', clean: false });
    await watcher.subscribe('wills/#', 2);
    const options = { clientId: 'car', clean: false } as const;
    const car = await connectClient(here.url, options);
    await car.subscribe('cars/1', 2);
    await here.kill();
    car.drop();
    await watcher.publish('cars/1', 'while away', { qos: 2 });
    const again = await within(connectClient(there.url, { ...options, will: { topic: 'wills/car', payload: Buffer.from('gone'), qos: 2, retain: false } }), 10_000);
    assert.equal(again.sessionPresent, true);
    await again.received(1);
    assert.deepEqual(again.messages.map(({ text }) => text), ['while away']);
    again.drop();
    await watcher.received(1);
    await watcher.publish('wills/end', 'end', { qos: 2 });
    await watcher.received(2);
    assert.deepEqual(watcher.messages.map(({ text }) => text), ['gone', 'end']);
    await watcher.end();
    await there.stop();
    await redis.stop();
  });

  it('a primary dies: its replica is followed, and with commit.waitReplicas nothing acknowledged is lost', async () => {
    const cluster = await startCluster(2, { redis: redis.url, set: { ...quickLease, 'commit.waitReplicas': 1, 'commit.waitTimeoutMs': 200 } });
    const load = new Load(cluster.nodes);
    await load.start();
    const sleeper = load.subscribers[0]!;
    sleeper.rest();
    sleeper.cut();
    await load.flows();
    const hashSlot = hashSlotOf(keys.session(sleeper.id));
    const victim = await redis.ownerOf(hashSlot);
    await victim.kill();
    await eventually(async () => (await redis.ownerOf(hashSlot)) !== victim, { withinMs: 20_000, what: 'another primary' });
    // a primary without a replica takes no commit: the old one comes back as one
    await notReady(cluster.nodes, /NOREPLICAS 0 of 1 replicas/, 20_000);
    await victim.restart();
    await readyAgain(cluster.nodes, 40_000);
    await load.flows(20, 40_000);
    sleeper.comeBack();
    await load.judge(20_000, true);
    await cluster.stop();
    await redis.stop();
  });
});
