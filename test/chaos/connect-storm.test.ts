import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startCluster } from '../support/node.ts';
import { Crowd } from './crowd.ts';
import { Device } from './device.ts';
import { figure } from './operator.ts';

const crowdSize = 5000;
/** 5,000 at 1,000 per second, their pauses, and as much again. */
const allInMs = 30_000;

/** P10: a node dies, and all its clients come to the others at once. */
describe('a connect storm of 5,000 clients whose node died', function () {
  this.timeout(120_000);

  it('is let in at the configured rate; who is connected stays, and its messages flow', async () => {
    const cluster = await startCluster(2);
    const [dying, staying] = [cluster.node(0), cluster.node(1)];
    let ports = [dying.port];
    const crowd = new Crowd(crowdSize, 'crowd', () => ports);
    crowd.come();
    await eventually(() => crowd.connected === crowdSize, { withinMs: allInMs, what: () => `first arrival of all (${crowd.connected} are in)` });
    const ledger = new Ledger();
    const subscriber = new Device({ id: 'subscriber', ports: () => [staying.port], ledger, subscribe: { filters: ['live/#'], qos: 2 } });
    const publisher = new Device({ id: 'publisher', ports: () => [staying.port], ledger });
    await Promise.all([subscriber.ready(), publisher.ready()]);
    publisher.pump([{ topic: 'live/1', qos: 1 }, { topic: 'live/2', qos: 2 }], 100);
    const before = await figure([staying], 'swarmq_connects_total');
    const { refused } = crowd;
    ports = [staying.port];
    const diedAt = performance.now();
    await dying.kill();
    const { acknowledged } = publisher;
    await eventually(() => crowd.connected === crowdSize, { withinMs: allInMs, what: () => `return of all (${crowd.connected} are in)` });
    const seconds = (performance.now() - diedAt) / 1000;
    const came = (await figure([staying], 'swarmq_connects_total')) - before;
    assert.ok(came / seconds < 1100, `${came} came in ${seconds.toFixed(1)} s: no more than 1,000 per second and the burst`);
    assert.equal(await figure([staying], 'swarmq_connects_refused_total'), crowd.refused - refused);
    assert.ok(publisher.acknowledged > acknowledged, 'live messages flow meanwhile');
    await publisher.settle();
    await eventually(() => ledger.missing('subscriber') === 0, { what: () => `the last ${ledger.missing('subscriber')} live messages` });
    ledger.assertHolds();
    assert.deepEqual([subscriber.losses, publisher.losses], [0, 0]);
    for (const device of [subscriber, publisher]) device.leave();
    crowd.leave();
    await staying.kill();
    await cluster.redis!.stop();
  });
});
