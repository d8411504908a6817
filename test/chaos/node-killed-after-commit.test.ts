import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startNode } from '../support/node.ts';
import { startRedis } from '../support/redis.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { Device } from './device.ts';

/** P1, P5: the moment between "it is stored" and "its owner is told". */
describe('kill -9 of a node just after Redis took a QoS 2 message', function () {
  this.timeout(60_000);

  it('delivers it once its publisher repeats it elsewhere: one message, and nothing has to come after it', async () => {
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
});
