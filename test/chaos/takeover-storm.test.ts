import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startCluster } from '../support/node.ts';
import { Device } from './device.ts';
import { figure, nobodyDied } from './operator.ts';

const ids = 10;
const rivals = 10;
const takeovers = 1000;

/** P3, P4, P5: many connections fight over few client ids. */
describe('a takeover storm', function () {
  this.timeout(90_000);

  it('leaves one connection for each id, and that one has every message', async () => {
    const cluster = await startCluster(3);
    const ledger = new Ledger();
    const backends = cluster.nodes.map(({ port }, i) => new Device({ id: `backend-${i}`, ports: () => [port], ledger }));
    const contend = (i: number, start: number, first?: Device): Device =>
      new Device({
        id: `car-${i}`,
        // each goes round the nodes from a place of its own
        ports: () => [0, 1, 2].map((step) => cluster.node((start + step) % 3).port),
        ledger,
        subscribe: { filters: [`storm/${i}/#`], qos: 2 },
        ...(first === undefined ? {} : { rivals: first }),
      });
    const firsts = Array.from({ length: ids }, (_, i) => contend(i, i));
    await Promise.all([...backends, ...firsts].map((device) => device.ready()));
    const fights = firsts.map((first, i) => [first, ...Array.from({ length: rivals - 1 }, (_, n) => contend(i, i + n + 1, first))]);
    for (const [n, backend] of backends.entries()) {
      backend.pump(fights.flatMap((_, i) => ([1, 2] as const).map((qos) => ({ topic: `storm/${i}/${n}/${qos}`, qos }))), 5);
    }
    const all = fights.flat();
    const fought = (): number => all.reduce((sum, { connects }) => sum + connects, 0);
    await eventually(() => fought() > takeovers && all.every(({ connects }) => connects > 0), {
      withinMs: 40_000,
      what: () => `storm (${fought()} connects)`,
    });
    for (const device of all) device.rest();
    await Promise.all(backends.map((backend) => backend.settle()));
    for (let i = 0; i < ids; i++) {
      const id = `car-${i}`;
      await eventually(() => ledger.missing(id) === 0, { withinMs: 15_000, what: () => `the last ${ledger.missing(id)} messages at ${id}` });
      const connected = (): number => fights[i]!.filter(({ isConnected }) => isConnected).length;
      await eventually(() => connected() === 1, { what: () => `end of the fight for ${id} (${connected()} connections)` });
    }
    ledger.assertHolds();
    const expected = ids + backends.length;
    await eventually(async () => (await figure(cluster.nodes, 'swarmq_sessions')) === expected, { what: `${expected} sessions` });
    assert.equal(await figure(cluster.nodes, 'swarmq_connections'), expected);
    await nobodyDied(cluster.nodes);
    await cluster.stop();
  });
});
