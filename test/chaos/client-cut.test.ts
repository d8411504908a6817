import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startCluster } from '../support/node.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { Device } from './device.ts';
import { figure } from './operator.ts';

/** P2, P3, P7: a client in a tunnel: its node sees an open connection on which nothing comes any more. */
describe('a client cut off without a FIN', function () {
  this.timeout(60_000);

  it('is served elsewhere at once, from where it was, though its node believes it connected', async () => {
    const cluster = await startCluster(2);
    const proxy = await startProxy(cluster.node(0).port);
    const ledger = new Ledger();
    let home = proxy.port;
    const backend = new Device({ id: 'backend', ports: () => [cluster.node(0).port], ledger, subscribe: { filters: ['up/#'], qos: 2 } });
    const car = new Device({ id: 'car', ports: () => [home], ledger, subscribe: { filters: ['down/#'], qos: 2 } });
    await Promise.all([backend.ready(), car.ready()]);
    const both = (direction: string) => ([1, 2] as const).map((qos) => ({ topic: `${direction}/${qos}`, qos }));
    backend.pump(both('down'), 100);
    car.pump(both('up'), 100);
    for (let cuts = 1; cuts <= 5; cuts++) {
      const { acknowledged } = car;
      await eventually(() => car.acknowledged > acknowledged + 50, { what: 'acknowledgements to the car' });
      home = cuts % 2 === 1 ? cluster.node(1).port : proxy.port;
      if (cuts % 2 === 1) proxy.halfOpen();
      else car.cut();
      await eventually(() => car.connects === cuts + 1, { withinMs: 3000, what: 'connection elsewhere' });
      assert.equal(car.resumes, cuts, 'its session goes on');
      assert.ok(car.longestAwayMs < 2000, `it waits for no lease, but was away for ${car.longestAwayMs} ms`);
    }
    await Promise.all([backend.settle(), car.settle()]);
    for (const { id } of [backend, car]) await eventually(() => ledger.missing(id) === 0, { what: () => `the last ${ledger.missing(id)} messages at ${id}` });
    ledger.assertHolds();
    await eventually(async () => (await figure(cluster.nodes, 'swarmq_connections')) === 2, { what: 'end of the dead connections' });
    await cluster.stop();
    await proxy.stop();
  });

  it('and not seen again is closed by its keep-alive, and its will is published', async () => {
    const cluster = await startCluster(2);
    const proxy = await startProxy(cluster.node(0).port);
    const ledger = new Ledger();
    const mourner = new Device({ id: 'mourner', ports: () => [cluster.node(1).port], ledger, subscribe: { filters: ['wills/#'], qos: 2 } });
    const will = { topic: 'wills/car', payload: Buffer.from('car 0'), qos: 2 as const, retain: false };
    const car = new Device({ id: 'car', ports: () => [proxy.port], ledger, keepAliveSeconds: 1, will });
    await Promise.all([mourner.ready(), car.ready()]);
    ledger.published('car', 'wills/car', 0, 2);
    ledger.acknowledged('car', 'wills/car', 0);
    car.rest();
    proxy.halfOpen();
    await eventually(() => ledger.missing('mourner') === 0, { withinMs: 10_000, what: 'will' });
    assert.equal(await figure([cluster.node(0)], 'swarmq_connections'), 0);
    ledger.assertHolds();
    await cluster.stop();
    await proxy.stop();
  });
});
