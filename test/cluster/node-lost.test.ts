import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCluster } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';

const lastWill = (topic: string, delay?: number) => ({
  topic,
  payload: Buffer.from('gone'),
  qos: 1 as const,
  retain: false,
  ...(delay === undefined ? {} : { properties: { willDelayInterval: delay } }),
});

describe('a node that is lost', function () {
  this.timeout(90_000);

  it('has the wills of its clients published once, within 10 s of kill -9', async () => {
    const cluster = await startCluster(3);
    const watchers = await Promise.all([1, 2].map((i) => connectClient(cluster.node(i).url)));
    for (const watcher of watchers) await watcher.subscribe('wills/#');
    for (let i = 0; i < 10; i++) {
      const client = await openPackets(cluster.node(0).port);
      await client.connect({ clientId: `dying-${i}`, clean: i % 2 === 0, will: lastWill(`wills/${i}`) });
    }
    const killedAt = performance.now();
    await cluster.node(0).kill();
    for (const watcher of watchers) await watcher.received(10, 10_000);
    assert.ok(performance.now() - killedAt < 10_000);
    // the dead node leaves the members when its burial is over: nothing can fire after that
    const redis = cluster.redis!.client();
    await eventually(async () => (await redis.hlen('sq:members')) === 2, { what: 'the end of the burial' });
    for (const watcher of watchers) {
      assert.deepEqual(watcher.messages.map((m) => m.topic).sort(), Array.from({ length: 10 }, (_, i) => `wills/${i}`));
      await watcher.end();
    }
    await cluster.stop();
  });

  it('has no will published of a client that is back on another node in time', async () => {
    const cluster = await startCluster(2);
    const watcher = await connectClient(cluster.node(1).url);
    await watcher.subscribe('wills/#');
    const will = lastWill('wills/delayed', 30);
    const properties = { sessionExpiryInterval: 60 };
    const client = await openPackets(cluster.node(0).port, 5);
    await client.connect({ clientId: 'back-in-time', clean: false, properties, will });
    const other = await openPackets(cluster.node(0).port, 4);
    await other.connect({ clientId: 'back-at-once', clean: false, will: lastWill('wills/undelayed') });
    await cluster.node(0).kill();
    const back = await openPackets(cluster.node(1).port, 5);
    assert.equal((await back.connect({ clientId: 'back-in-time', clean: false, properties })).sessionPresent, true);
    const otherBack = await openPackets(cluster.node(1).port, 4);
    assert.equal((await otherBack.connect({ clientId: 'back-at-once', clean: false })).sessionPresent, true);
    const redis = cluster.redis!.client();
    await eventually(async () => (await redis.hlen('sq:members')) === 1, { withinMs: 15_000, what: 'the end of the burial' });
    await watcher.publish('wills/end', 'end');
    await watcher.received(1);
    assert.deepEqual(watcher.messages.map((m) => m.topic), ['wills/end']);
    await watcher.end();
    await cluster.stop();
  });

  it('has a delayed will published once: by a clean start elsewhere that ends the session, or when the delay is over', async () => {
    const cluster = await startCluster(2);
    const watcher = await connectClient(cluster.node(1).url);
    await watcher.subscribe('wills/#');
    const properties = { sessionExpiryInterval: 3600 };
    for (const [clientId, delay] of [['cleaned', 3600], ['absent', 1]] as const) {
      const client = await openPackets(cluster.node(0).port, 5);
      await client.connect({ clientId, clean: false, properties, will: lastWill(`wills/${clientId}`, delay) });
    }
    await cluster.node(0).kill();
    const fresh = await openPackets(cluster.node(1).port, 5);
    assert.equal((await fresh.connect({ clientId: 'cleaned', clean: true })).sessionPresent, false);
    await watcher.received(2, 20_000);
    const redis = cluster.redis!.client();
    await eventually(async () => (await redis.hlen('sq:members')) === 1, { withinMs: 15_000, what: 'the end of the burial' });
    await watcher.publish('wills/end', 'end');
    await watcher.received(3);
    assert.deepEqual(watcher.messages.map((m) => m.topic), ['wills/cleaned', 'wills/absent', 'wills/end']);
    await watcher.end();
    await cluster.stop();
  });

  it('leaves nothing of its clean sessions behind in Redis', async () => {
    const cluster = await startCluster(2);
    const client = await openPackets(cluster.node(0).port);
    await client.connect({ clientId: 'clean-one' });
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/+', qos: 1 }] });
    await client.expect({ cmd: 'suback' });
    const redis = cluster.redis!.client();
    assert.equal(await redis.hlen('sq:{routes}:table'), 1);
    await cluster.node(0).kill();
    await eventually(async () => (await redis.hlen('sq:members')) === 1, { withinMs: 15_000, what: 'the end of the burial' });
    assert.deepEqual(await redis.keys('sq:s:{clean-one}*'), []);
    assert.equal(await redis.hlen('sq:{routes}:table'), 0);
    await cluster.stop();
  });

  it('ends a session whose expiry has passed, though its owner is dead', async () => {
    const cluster = await startCluster(2);
    const client = await openPackets(cluster.node(0).port, 5);
    await client.connect({ clientId: 'short', clean: false, properties: { sessionExpiryInterval: 1 } });
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'short/+', qos: 1 }] });
    await client.expect({ cmd: 'suback' });
    await cluster.node(0).kill();
    const redis = cluster.redis!.client();
    await eventually(async () => (await redis.exists('sq:s:{short}')) === 0, { withinMs: 20_000, what: 'the end of the session' });
    await eventually(async () => (await redis.hlen('sq:{routes}:table')) === 0, { what: 'the end of its routes' });
    await cluster.stop();
  });

  it('comes to itself after a pause longer than its lease: its clients are dropped, its stale work is refused', async () => {
    const cluster = await startCluster(2, { set: { 'cluster.leaseMs': 2000, 'cluster.renewMs': 500 } });
    const backend = await connectClient(cluster.node(1).url);
    await backend.subscribe('frozen/up', 2);
    const options = { clientId: 'frozen', clean: false };
    const onA = await openPackets(cluster.node(0).port);
    await onA.connect(options);
    onA.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'frozen/down', qos: 1 }] });
    await onA.expect({ cmd: 'suback' });
    await backend.publish('frozen/down', 'first');
    const { messageId } = await onA.expect({ cmd: 'publish', payload: 'first' });
    cluster.node(0).freeze();
    // reaches the frozen node's socket, and must not count once it wakes up
    onA.send({ cmd: 'publish', topic: 'frozen/up', payload: 'twice?', qos: 2, dup: false, retain: false, messageId: 9 });
    const onB = await openPackets(cluster.node(1).port);
    assert.equal((await onB.connect(options)).sessionPresent, true);
    await onB.expect({ cmd: 'publish', payload: 'first', messageId, dup: true });
    onB.send({ cmd: 'publish', topic: 'frozen/up', payload: 'twice?', qos: 2, dup: true, retain: false, messageId: 9 });
    await onB.expect({ cmd: 'pubrec', messageId: 9 });
    onB.send({ cmd: 'pubrel', messageId: 9 });
    await onB.expect({ cmd: 'pubcomp', messageId: 9 });
    const redis = cluster.redis!.client();
    await eventually(async () => (await redis.hlen('sq:members')) === 1, { withinMs: 15_000, what: 'the burial of the frozen node' });
    cluster.node(0).thaw();
    await onA.expectClosed(15_000);
    await eventually(async () => (await redis.hlen('sq:members')) === 2, { withinMs: 15_000, what: 'a new life of the node that woke up' });
    await onB.expectQuiet();
    await backend.publish('frozen/up', 'last', { qos: 2 });
    await backend.received(2);
    assert.deepEqual(backend.messages.map((m) => m.text), ['twice?', 'last']);
    const again = await connectClient(cluster.node(0).url);
    await again.publish('frozen/up', 'from the new life');
    await backend.received(3);
    await again.end();
    await backend.end();
    onB.destroy();
    await cluster.stop();
  });
});
