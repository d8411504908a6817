import assert from 'node:assert/strict';
import type { Store } from '../../src/store/store.ts';
import { eventually } from '../support/eventually.ts';
import { forEachStore } from './stores.ts';

forEachStore('due work', (open) => {
  let store: Store;

  beforeEach(async () => {
    store = await open();
  });

  it('comes when its time has come, the earliest first, and stays until it is done', async () => {
    await store.due.remind('sessions', 'late', 60);
    await store.due.remind('sessions', 'early', 20);
    await store.due.remind('sessions', 'never', 3_600_000);
    await store.due.remind('wills', 'other', 0);
    const ripe = await eventually(
      async () => {
        const clients = await store.due.ripe('sessions', 10);
        return clients.length === 2 && clients;
      },
      { what: 'two ripe sessions' },
    );
    assert.deepEqual(ripe, ['early', 'late']);
    assert.deepEqual(await store.due.ripe('sessions', 1), ['early']);
    await store.due.done('sessions', 'early');
    assert.deepEqual(await store.due.ripe('sessions', 10), ['late']);
    assert.deepEqual(await store.due.ripe('wills', 10), ['other']);
  });

  it('a later reminder replaces the earlier one, and is not lost when the earlier one is done', async () => {
    await store.due.remind('wills', 'c', 0);
    assert.deepEqual(await store.due.ripe('wills', 10), ['c']);
    await store.due.remind('wills', 'c', 60_000);
    assert.deepEqual(await store.due.ripe('wills', 10), []);
    await store.due.done('wills', 'c');
    await store.due.remind('wills', 'd', 0);
    await store.due.remind('wills', 'c', 0);
    assert.deepEqual((await store.due.ripe('wills', 10)).sort(), ['c', 'd']);
  });

  it('ten thousand reminders come in order, and done is done', async () => {
    const clients = Array.from({ length: 10_000 }, (_, i) => `c${i}`);
    await Promise.all(clients.map((client, i) => store.due.remind('sessions', client, ((i * 7919) % 10_000) / 1000)));
    const ripe = await eventually(
      async () => {
        const found = await store.due.ripe('sessions', 20_000);
        return found.length === 10_000 && found;
      },
      { what: 'ripe clients' },
    );
    assert.equal(new Set(ripe).size, 10_000);
    for (const client of ripe) if (client !== 'c5') await store.due.done('sessions', client);
    assert.deepEqual(await store.due.ripe('sessions', 20_000), ['c5']);
  });
});
