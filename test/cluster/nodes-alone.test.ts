import assert from 'node:assert/strict';
import { alone } from '../../cluster/alone.ts';
import { Table } from './joined.ts';

describe('nodes: a node alone, without Redis', () => {
  it('sees itself, and is always certain', async () => {
    const cluster = alone('solo');
    assert.deepEqual(cluster.members().map((m) => [m.incarnation, m.node, m.isAlive]), [['solo#1', 'solo', true]]);
    assert.equal(cluster.isCertain, true);
    await cluster.whenCertain();
  });

  it('changes of routes apply at once', async () => {
    const cluster = alone('solo');
    const table = new Table();
    await cluster.routes.load(table);
    const changed = cluster.routes.change([
      { filter: 'f', target: 'x', version: 0, options: Buffer.from('1') },
      { filter: 'g', target: 'x', version: 0, options: Buffer.from('2') },
      { filter: 'f', target: 'x', version: 0, options: null },
    ]);
    assert.deepEqual(table.all, ['g x 2']);
    await changed;
  });

  it('holds every role, and knows nobody else alive', async () => {
    const cluster = alone('solo');
    assert.equal(await cluster.roles.hold('janitor', 1000), 1);
    assert.equal(await cluster.handover.isAlive('solo#1'), true);
    assert.equal(await cluster.handover.isAlive('other#1'), false);
  });
});
