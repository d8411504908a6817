import assert from 'node:assert/strict';
import type { Store } from '../../src/store/store.ts';
import { eventually } from '../support/eventually.ts';
import { committed, forEachStore, limits } from './stores.ts';

forEachStore('outboxes', (open) => {
  let store: Store;

  beforeEach(async () => {
    store = await open();
  });

  async function push(shard: number, ...texts: string[]): Promise<number> {
    const outbox = store.outboxes.ref('kafka', shard);
    return committed(store, (batch) => {
      for (const text of texts) store.outboxes.push(batch, outbox, 'cars', Buffer.from(text));
      const slot = store.outboxes.measure(batch, outbox);
      return () => store.outboxes.length(batch, slot);
    });
  }

  it('records are read in order, page after page, each shard for itself', async () => {
    assert.equal(await push(0, 'a', 'b', 'c'), 3);
    assert.equal(await push(1, 'x'), 1);
    const outbox = store.outboxes.ref('kafka', 0);
    const first = await store.outboxes.read(outbox, '', 2);
    assert.deepEqual(first.map(({ rule, record }) => `${rule} ${record.toString()}`), ['cars a', 'cars b']);
    const rest = await store.outboxes.read(outbox, first[1]!.id, 2);
    assert.deepEqual(rest.map(({ record }) => record.toString()), ['c']);
    assert.deepEqual(await store.outboxes.read(outbox, rest[0]!.id, 2), []);
    assert.equal(await store.outboxes.size(outbox), 3);
  });

  it('one leads at a time, and leading on keeps the token', async () => {
    const outbox = store.outboxes.ref('kafka', 0);
    const token = await store.outboxes.lead(outbox, 'node 1 x', 10_000);
    assert.ok(token !== null);
    assert.equal(await store.outboxes.lead(outbox, 'node 1', 10_000), null);
    assert.equal(await store.outboxes.lead(outbox, 'node 1 x', 10_000), token);
    assert.notEqual(await store.outboxes.lead(store.outboxes.ref('kafka', 1), 'node 1', 10_000), null);
  });

  it('the leader removes; an old token removes nothing', async () => {
    await push(0, 'a', 'b', 'c');
    const outbox = store.outboxes.ref('kafka', 0);
    const ids = (await store.outboxes.read(outbox, '', 10)).map(({ id }) => id);
    const first = await store.outboxes.lead(outbox, 'n1', 10_000);
    assert.ok(first !== null);
    assert.equal(await store.outboxes.remove(outbox, first, [ids[1]!]), 'ok');
    assert.deepEqual((await store.outboxes.read(outbox, '', 10)).map(({ record }) => record.toString()), ['a', 'c']);

    await store.outboxes.resign(outbox, first);
    assert.equal(await store.outboxes.remove(outbox, first, ids), 'fenced');
    const second = await store.outboxes.lead(outbox, 'n2', 10_000);
    assert.ok(second !== null && second > first);
    await store.outboxes.resign(outbox, first);
    assert.equal(await store.outboxes.remove(outbox, first, ids), 'fenced');
    assert.equal(await store.outboxes.size(outbox), 2);
    assert.equal(await store.outboxes.remove(outbox, second, ids), 'ok');
    assert.equal(await store.outboxes.size(outbox), 0);
  });

  it('a lead that was not renewed passes on, with a higher token', async () => {
    const outbox = store.outboxes.ref('kafka', 0);
    const first = await store.outboxes.lead(outbox, 'n1', 50);
    assert.ok(first !== null);
    const second = await eventually(() => store.outboxes.lead(outbox, 'n2', 10_000), { what: 'second leader' });
    assert.ok(second > first);
    assert.equal(await store.outboxes.remove(outbox, first, []), 'fenced');
  });

  it('over its limit an outbox loses its oldest records', async () => {
    store = await open({ ...limits, outboxMaxEntries: 200 });
    const length = await push(0, ...Array.from({ length: 1000 }, (_, i) => `r${i}`));
    assert.ok(length >= 200 && length <= 300, `${length} are kept`);
    const kept = await store.outboxes.read(store.outboxes.ref('kafka', 0), '', 1000);
    assert.equal(kept.at(-1)?.record.toString(), 'r999');
    assert.equal(kept[0]?.record.toString(), `r${1000 - length}`);
  });

  it('thousands of records are removed in one go', async () => {
    store = await open({ ...limits, outboxMaxEntries: 10_000 });
    await push(0, ...Array.from({ length: 3000 }, (_, i) => `r${i}`));
    const outbox = store.outboxes.ref('kafka', 0);
    const token = await store.outboxes.lead(outbox, 'n1', 10_000);
    const ids = (await store.outboxes.read(outbox, '', 3000)).map(({ id }) => id);
    assert.equal(await store.outboxes.remove(outbox, token!, ids.slice(0, 2999)), 'ok');
    assert.equal(await store.outboxes.size(outbox), 1);
  });
});
