import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startNode } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';
import { startRedis } from '../support/redis.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { Device } from './device.ts';

/** P1, P5: the moment between "it is stored" and "its owner is told". */
describe('kill -9 of a node just after Redis took a message', function () {
  this.timeout(60_000);

  it('delivers it at QoS 2 once its publisher repeats it elsewhere: one message, and nothing has to come after it', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const dying = await startNode({ redis: `redis://127.0.0.1:${proxy.port}` });
    const others = await Promise.all([startNode({ redis: redis.url }), startNode({ redis: redis.url })]);
    const ledger = new Ledger();
    const publisher = new Device({ id: 'publisher', ports: () => [dying.port, others[0].port], ledger });
    const subscribers = others.map(({ port }, i) => new Device({ id: `subscriber-${i}`, ports: () => [port], ledger, subscribe: { filters: ['once'], qos: 2 } }));
    await Promise.all([publisher, ...subscribers].map((device) => device.ready()));
    const direct = redis.client();
    proxy.slow(300);
    publisher.publish('once', 2);
    await eventually(async () => (await direct.xlen('sq:s:{subscriber-1}:q')) === 1, { what: 'message in the queue' });
    await dying.kill();
    await publisher.settle();
    for (const { id } of subscribers) await eventually(() => ledger.missing(id) === 0, { what: `message at ${id}` });
    ledger.assertHolds();
    for (const device of [publisher, ...subscribers]) device.leave();
    await Promise.all(others.map((node) => node.stop()));
    await proxy.stop();
    await redis.stop();
  });

  it('its QoS 1 messages reach sessions that stay connected elsewhere, though nobody repeats them and nothing comes after', async () => {
    const set = { 'cluster.leaseMs': 1000, 'cluster.renewMs': 200 };
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const dying = await startNode({ redis: `redis://127.0.0.1:${proxy.port}`, set });
    const others = await Promise.all([startNode({ redis: redis.url, set }), startNode({ redis: redis.url, set })]);
    const subscribers = await Promise.all(others.map(({ url }, i) => connectClient(url, { clientId: `stays-${i}`, clean: false })));
    for (const subscriber of subscribers) await subscriber.subscribe('last/#', 1);
    const publisher = await openPackets(dying.port, 4);
    await publisher.connect({ clientId: 'never-comes-back' });
    const direct = redis.client();
    proxy.slow(300);
    publisher.send({ cmd: 'publish', topic: 'last/words', payload: 'heard', qos: 1, dup: false, retain: false, messageId: 1 });
    await eventually(async () => (await direct.xlen('sq:s:{stays-1}:q')) === 1, { what: 'message in the queue' });
    await dying.kill();
    for (const subscriber of subscribers) {
      await subscriber.received(1, 20_000);
      assert.deepEqual(subscriber.messages.map(({ text }) => text), ['heard']);
      await subscriber.end();
    }
    await Promise.all(others.map((node) => node.stop()));
    await proxy.stop();
    await redis.stop();
  });
});
