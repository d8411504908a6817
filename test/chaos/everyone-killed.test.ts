import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { startCluster } from '../support/node.ts';
import { Device } from './device.ts';
import { Load, quickLease } from './load.ts';
import { figure } from './operator.ts';

/** P1, P2, P5, P7: no node is left, only Redis. */
describe('kill -9 of all nodes at once under load', function () {
  this.timeout(90_000);

  it('keeps sessions and queues for the nodes that come after, and wills of the dead fire once', async () => {
    const cluster = await startCluster(3, { set: quickLease });
    const nodes = [...cluster.nodes];
    const load = new Load(nodes, (home) => [0, 1, 2].map((step) => nodes[(home + step) % 3]!.port));
    const { ledger } = load;
    const mourner = new Device({ id: 'mourner', ports: () => nodes.map(({ port }) => port), ledger, subscribe: { filters: ['wills/#'], qos: 2 } });
    const away = new Device({ id: 'away', ports: () => nodes.map(({ port }) => port), ledger, subscribe: { filters: ['load/#'], qos: 2 } });
    await Promise.all([load.start(), mourner.ready(), away.ready()]);
    const dying = nodes.map(({ port }, i) => {
      const id = `dying-${i}`;
      const will = { topic: `wills/${id}`, payload: Buffer.from(`${id} 0`), qos: 2 as const, retain: false };
      return new Device({ id, ports: () => [port], ledger, will });
    });
    for (const device of dying) {
      await device.ready();
      device.rest();
      ledger.published(device.id, `wills/${device.id}`, 0, 2);
      ledger.acknowledged(device.id, `wills/${device.id}`, 0);
    }
    away.cut();
    away.rest();
    await load.flows(50);

    await Promise.all(nodes.map((node) => node.kill()));
    await Promise.all(nodes.map(async ({ id }, i) => (nodes[i] = await cluster.join({ id }))));

    await load.flows();
    for (const { id, connects, resumes } of load.devices) assert.equal(resumes, connects - 1, `${id} found its session`);
    away.comeBack();
    await eventually(() => ledger.missing('mourner') === 0, { withinMs: 15_000, what: () => `the last ${ledger.missing('mourner')} wills` });
    await eventually(async () => (await figure(nodes, 'swarmq_burials_total')) === 3, { withinMs: 15_000, what: 'end of the burials' });
    await load.judge();
    for (const device of [mourner, away]) device.leave();
    await Promise.all(nodes.map((node) => node.stop()));
    await cluster.redis!.stop();
  });
});
