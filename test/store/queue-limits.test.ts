import assert from 'node:assert/strict';
import type { Store } from '../../src/store/store.ts';
import { away, committed, forEachStore, push, queueLimits, serve, tend } from './stores.ts';

const KiB = 1024;
const texts = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

forEachStore('limits of queues', (open) => {
  const c = 'car-1';

  async function kept(store: Store, clientId = c): Promise<string[]> {
    return (await store.queues.read(store.queues.ref(clientId), 1, 100_000)).map(({ record }) => record.toString());
  }

  it('over the limit of messages the oldest of a queue that nobody serves go, each one told', async () => {
    const store = await open(queueLimits({ maxMessages: 20 }));
    await away(store, c);
    await push(store, c, ...texts(1, 20));
    assert.deepEqual(await tend(store), {});
    await push(store, c, ...texts(21, 50));
    assert.deepEqual(await tend(store), { [`${c} messages`]: 30 });
    assert.deepEqual(await kept(store), texts(31, 50));
    await push(store, c, ...texts(51, 52));
    assert.deepEqual(await tend(store), { [`${c} messages`]: 2 });
    assert.deepEqual(await kept(store), texts(33, 52));
  });

  it('over the limit of messages the newest are refused when that is the policy', async () => {
    const store = await open(queueLimits({ maxMessages: 20, dropsNewest: true }));
    await away(store, c);
    await push(store, c, ...texts(1, 15));
    await push(store, c, ...texts(16, 50));
    assert.deepEqual(await tend(store), { [`${c} messages`]: 30 });
    await push(store, c, '51');
    assert.deepEqual(await tend(store), { [`${c} messages`]: 1 });
    assert.deepEqual(await kept(store), texts(1, 20));
  });

  it('after a part was acknowledged there is room again, and messages come in order', async () => {
    for (const dropsNewest of [false, true]) {
      const store = await open(queueLimits({ maxMessages: 20, dropsNewest }));
      await away(store, c);
      await push(store, c, ...texts(1, 25));
      await tend(store);
      const epoch = await serve(store, c);
      const seqs = (await store.queues.read(store.queues.ref(c), 1, 100)).map(({ seq }) => seq);
      await committed(store, (batch) => {
        store.queues.acknowledge(batch, store.queues.ref(c), epoch, seqs.slice(0, 15));
        return () => undefined;
      });
      await store.sessions.release(c, epoch, 0, 3600, 'drop');
      await push(store, c, ...texts(26, 40));
      assert.deepEqual(await tend(store), {});
      assert.deepEqual(await kept(store), [...(dropsNewest ? texts(16, 20) : texts(21, 25)), ...texts(26, 40)]);
    }
  });

  it('a wide limit may be passed by a 64th and is kept in steps; nothing that has room goes', async () => {
    const store = await open(queueLimits({ maxMessages: 1280 }));
    await away(store, c);
    let dropped = 0;
    for (let i = 0; i < 3000; i += 10) {
      await push(store, c, ...texts(i + 1, i + 10));
      dropped += (await tend(store))[`${c} messages`] ?? 0;
    }
    const left = await kept(store);
    assert.ok(left.length >= 1280 && left.length <= 1300, `${left.length} are kept`);
    assert.deepEqual(left, texts(3001 - left.length, 3000));
    assert.equal(dropped, 3000 - left.length);
  });

  for (const dropsNewest of [false, true]) {
    it(`over the limit of bytes the ${dropsNewest ? 'newest' : 'oldest'} go`, async () => {
      const store = await open(queueLimits({ maxBytes: 256 * KiB, dropsNewest }));
      await away(store, c);
      const sized = (i: number): string => String(i).padEnd(KiB, '.');
      let dropped = 0;
      for (let i = 1; i <= 600; i += 10) {
        await push(store, c, ...texts(i, i + 9).map((n) => sized(Number(n))));
        dropped += (await tend(store))[`${c} bytes`] ?? 0;
      }
      const left = (await kept(store)).map((text) => Number.parseInt(text, 10));
      assert.ok(left.length >= 200 && left.length <= 270, `${left.length} are kept`);
      assert.equal(dropped, 600 - left.length);
      assert.deepEqual(left.map(String), dropsNewest ? texts(1, left.length) : texts(601 - left.length, 600));
    });
  }

  it('one message that is larger than the limit of bytes does not undo the queue', async () => {
    const store = await open(queueLimits({ maxBytes: 64 * KiB }));
    await away(store, c);
    await push(store, c, 'small', 'x'.repeat(100 * KiB));
    await tend(store);
    await push(store, c, 'after');
    await tend(store);
    assert.equal((await kept(store)).at(-1), 'after');
  });

  it('what an earlier connection was sent stays, whatever else goes', async () => {
    for (const dropsNewest of [false, true]) {
      const store = await open(queueLimits({ maxMessages: 10, dropsNewest }));
      await serve(store, c);
      await push(store, c, ...texts(1, 8));
      await store.sessions.release(c, (await store.sessions.claim({ clientId: c, owner: 'n2' })).epoch, 6, 3600, 'drop');
      await push(store, c, ...texts(9, 30));
      assert.deepEqual(await tend(store), { [`${c} messages`]: 20 });
      assert.deepEqual(await kept(store), dropsNewest ? texts(1, 10) : [...texts(1, 6), ...texts(27, 30)]);
    }
  });

  it('when nobody knows how far was sent, the first window stays', async () => {
    const store = await open(queueLimits({ maxMessages: 10, window: 4 }));
    await away(store, c, -1);
    await push(store, c, ...texts(1, 30));
    assert.deepEqual(await tend(store), { [`${c} messages`]: 20 });
    assert.deepEqual(await kept(store), [...texts(1, 4), ...texts(25, 30)]);
  });

  it('a queue that is served is left to its owner', async () => {
    for (const dropsNewest of [false, true]) {
      const store = await open(queueLimits({ maxMessages: 10, dropsNewest }));
      await serve(store, c);
      await push(store, c, ...texts(1, 30));
      assert.deepEqual(await tend(store), {});
      assert.deepEqual(await kept(store), texts(1, 30));
      assert.equal(await store.queues.size(store.queues.ref(c)), 30);
    }
  });

  it('what is queued exactly once keeps the limits too', async () => {
    for (const dropsNewest of [false, true]) {
      const store = await open(queueLimits({ maxMessages: 5, dropsNewest }));
      await away(store, c);
      const epoch = await serve(store, 'publisher');
      const queue = store.queues.ref(c);
      for (let packetId = 1; packetId <= 12; packetId++) {
        const targets = [{ kind: 'queue', queue, head: Buffer.of(1), record: Buffer.from(String(packetId)) }] as const;
        await committed(store, (batch) => {
          const slot = store.queues.pushOnce(batch, { kind: 'incoming', clientId: 'publisher', epoch, packetId }, targets);
          return () => store.queues.once(batch, targets, slot);
        });
        await tend(store);
      }
      assert.deepEqual(await kept(store), dropsNewest ? texts(1, 5) : texts(8, 12));
    }
  });

  it('each ref tells that its queue is full, and that it is not any more', async () => {
    const store = await open(queueLimits({ maxMessages: 5 }));
    await away(store, c);
    const queue = store.queues.ref(c);
    const other = store.queues.ref(c);
    assert.equal(queue.isFull, false);
    const pushed = async (count: number): Promise<void> => {
      await committed(store, (batch) => {
        const slots = texts(1, count).map((text) => store.queues.push(batch, queue, Buffer.of(1), Buffer.from(text)));
        return () => slots.map((slot) => store.queues.seq(batch, queue, slot));
      });
      await tend(store);
    };
    await pushed(9);
    assert.equal(queue.isFull, true);
    assert.equal(other.isFull, true);
    const epoch = await serve(store, c);
    await committed(store, (batch) => {
      store.queues.acknowledge(batch, queue, epoch, [5, 6, 7, 8, 9]);
      return () => undefined;
    });
    await pushed(1);
    assert.equal(queue.isFull, false);
    assert.equal(other.isFull, false);
  });

  it('a queue that is no more is no trouble', async () => {
    const store = await open(queueLimits({ maxMessages: 5 }));
    await away(store, c);
    await push(store, c, ...texts(1, 9));
    await store.sessions.end(c, await serve(store, c));
    assert.ok(store.queues.wantsTending);
    await tend(store);
    assert.deepEqual(await push(store, c, 'late'), [0]);
    assert.equal(await store.queues.size(store.queues.ref(c)), 0);
  });
});
