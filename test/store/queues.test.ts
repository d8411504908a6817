import assert from 'node:assert/strict';
import type { Once, OnceResult, OnceTarget } from '../../src/store/queues.ts';
import type { Store } from '../../src/store/store.ts';
import { committed, forEachStore, opening, push, queued, queueLimits, serve } from './stores.ts';

forEachStore('queues', (open) => {
  let store: Store;
  const c = 'car-1';

  beforeEach(async () => {
    store = await open();
  });

  async function once(what: Once, targets: readonly OnceTarget[]): Promise<OnceResult> {
    return committed(store, (batch) => {
      const slot = store.queues.pushOnce(batch, what, targets);
      return () => store.queues.once(batch, targets, slot);
    });
  }

  async function owned(kind: 'acknowledge' | 'receive' | 'complete' | 'forget', epoch: number, numbers: number[]): Promise<string> {
    return committed(store, (batch) => {
      const slot = store.queues[kind](batch, store.queues.ref(c), epoch, numbers);
      return () => store.queues.owned(batch, slot);
    });
  }

  async function resume(): Promise<{ released: readonly number[]; incoming: readonly number[]; epoch: number }> {
    const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n2' });
    const answer = await store.sessions.open(opening(c, epoch));
    assert.ok(answer !== 'fenced');
    return { ...answer, epoch };
  }

  function target(clientId: string, text: string): OnceTarget {
    return { kind: 'queue', queue: store.queues.ref(clientId), head: Buffer.of(7), record: Buffer.from(text) };
  }

  it('messages are numbered from 1, over batches and over an empty queue', async () => {
    const epoch = await serve(store, c);
    assert.deepEqual(await push(store, c, 'one', 'two'), [1, 2]);
    assert.equal(await owned('acknowledge', epoch, [1, 2]), 'ok');
    assert.deepEqual(await queued(store, c), []);
    assert.deepEqual(await push(store, c, 'three'), [3]);
  });

  it('a second subscribe leaves the queue as it is', async () => {
    const epoch = await serve(store, c);
    await push(store, c, 'one');
    await store.sessions.subscribe(c, epoch, [{ filter: 'b', options: Buffer.of(1) }]);
    assert.deepEqual(await push(store, c, 'two'), [2]);
    assert.deepEqual(await queued(store, c), ['1 one', '2 two']);
  });

  it('a session that is no more, or never was, gets nothing and does not come back', async () => {
    assert.deepEqual(await push(store, c, 'one'), [0]);
    const epoch = await serve(store, c);
    const queue = store.queues.ref(c);
    await push(store, c, 'one');
    await store.sessions.end(c, epoch);
    const seq = await committed(store, (batch) => {
      const slot = store.queues.push(batch, queue, Buffer.of(1), Buffer.from('two'));
      return () => store.queues.seq(batch, queue, slot);
    });
    assert.equal(seq, 0);
    assert.deepEqual(await queued(store, c), []);
    assert.equal((await store.sessions.claim({ clientId: c, owner: 'n2' })).former, null);
  });

  it('a queue prepared before its session was made again reaches the new one', async () => {
    const first = await serve(store, c);
    const queue = store.queues.ref(c);
    await push(store, c, 'one');
    await store.sessions.end(c, first);
    await serve(store, c, 'n2');
    await committed(store, (batch) => {
      store.queues.push(batch, queue, Buffer.of(1), Buffer.from('new'));
      return () => undefined;
    });
    assert.deepEqual(await queued(store, c), ['1 new']);
  });

  it('head and record come back byte for byte, however large', async () => {
    await serve(store, c);
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const cases: [Buffer, Buffer][] = [
      [Buffer.alloc(0), Buffer.alloc(0)],
      [Buffer.from('\r\n$3\r\n*1\r\n'), every],
      [every, Buffer.alloc(16 * 1024, 13)],
      [Buffer.alloc(40_000, 2), Buffer.alloc(1_000_000, 10)],
    ];
    await committed(store, (batch) => {
      for (const [head, record] of cases) store.queues.push(batch, store.queues.ref(c), head, record);
      return () => undefined;
    });
    const entries = await store.queues.read(store.queues.ref(c), 1, 10);
    assert.deepEqual(entries.map(({ head, record }) => [head, record]), cases);
  });

  it('read begins where it is told, skips what was removed, and stops at the count', async () => {
    const epoch = await serve(store, c);
    await push(store, c, ...Array.from({ length: 300 }, (_, i) => `m${i + 1}`));
    await owned('acknowledge', epoch, [1, 2, 150, 152]);
    const entries = await store.queues.read(store.queues.ref(c), 149, 3);
    assert.deepEqual(entries.map(({ seq }) => seq), [149, 151, 153]);
    assert.deepEqual((await store.queues.read(store.queues.ref(c), 299, 100)).map(({ seq }) => seq), [299, 300]);
    assert.deepEqual(await store.queues.read(store.queues.ref(c), 301, 100), []);
  });

  it('acknowledging twice, and what never was, is harmless', async () => {
    const epoch = await serve(store, c);
    await push(store, c, 'one', 'two');
    assert.equal(await owned('acknowledge', epoch, [1]), 'ok');
    assert.equal(await owned('acknowledge', epoch, [1, 99]), 'ok');
    assert.deepEqual(await queued(store, c), ['2 two']);
  });

  it('thousands of messages are acknowledged in one go', async () => {
    store = await open(queueLimits({ maxMessages: 10_000 }));
    const epoch = await serve(store, c);
    const seqs = await push(store, c, ...Array.from({ length: 5000 }, (_, i) => `m${i}`));
    assert.equal(await owned('acknowledge', epoch, seqs.slice(1)), 'ok');
    assert.deepEqual(await queued(store, c), ['1 m0']);
  });

  it('received messages leave the queue and stay released until completed, over a resume', async () => {
    const epoch = await serve(store, c);
    await push(store, c, 'one', 'two', 'three');
    assert.equal(await owned('receive', epoch, [1, 3]), 'ok');
    assert.deepEqual(await queued(store, c), ['2 two']);
    const next = await resume();
    assert.deepEqual([...next.released].sort(), [1, 3]);
    assert.equal(await owned('complete', next.epoch, [1]), 'ok');
    assert.deepEqual((await resume()).released, [3]);
  });

  it('the released identifier wraps after 65535', async () => {
    const epoch = await serve(store, c);
    assert.equal(await owned('receive', epoch, [65535, 65536, 131072]), 'ok');
    assert.deepEqual([...(await resume()).released].sort((a, b) => a - b), [1, 2, 65535]);
  });

  it('an incoming QoS 2 message is stored once, and is known over a resume until it is forgotten', async () => {
    const epoch = await serve(store, c);
    await serve(store, 'a');
    await serve(store, 'b');
    const incoming = { kind: 'incoming', clientId: c, epoch, packetId: 65535 } as const;
    assert.deepEqual(await once(incoming, [target('a', 'x'), target('nobody', 'x'), target('b', 'x')]), { word: 'ok', seqs: [1, 0, 1] });
    assert.deepEqual(await once(incoming, [target('a', 'x'), target('b', 'x')]), { word: 'seen' });
    assert.deepEqual(await queued(store, 'a'), ['1 x']);
    assert.deepEqual(await queued(store, 'b'), ['1 x']);
    assert.deepEqual(await queued(store, 'nobody'), []);

    const next = await resume();
    assert.deepEqual(next.incoming, [65535]);
    assert.deepEqual(await once({ ...incoming, epoch: next.epoch }, [target('a', 'x')]), { word: 'seen' });
    assert.equal(await owned('forget', next.epoch, [65535]), 'ok');
    assert.deepEqual(await once({ ...incoming, epoch: next.epoch }, [target('a', 'y')]), { word: 'ok', seqs: [2] });
    assert.deepEqual((await store.queues.read(store.queues.ref('a'), 2, 1))[0]?.head, Buffer.of(7));
  });

  it('the same message twice in one batch is stored once', async () => {
    const epoch = await serve(store, c);
    await serve(store, 'a');
    const incoming = { kind: 'incoming', clientId: c, epoch, packetId: 1 } as const;
    const words = await committed(store, (batch) => {
      const targets = [target('a', 'x')];
      const slots = [1, 2].map(() => store.queues.pushOnce(batch, incoming, targets));
      return () => slots.map((slot) => store.queues.once(batch, targets, slot).word);
    });
    assert.deepEqual(words, ['ok', 'seen']);
    assert.deepEqual(await queued(store, 'a'), ['1 x']);
  });

  it('under an old epoch nothing is stored', async () => {
    const epoch = await serve(store, c);
    await serve(store, 'a');
    await resume();
    const incoming = { kind: 'incoming', clientId: c, epoch, packetId: 1 } as const;
    assert.deepEqual(await once(incoming, [target('a', 'x')]), { word: 'fenced' });
    assert.deepEqual(await queued(store, 'a'), []);
  });

  it('a will fires once, into queues and an outbox', async () => {
    const epoch = await serve(store, c, 'n1', { will: Buffer.from('bye'), willDelaySeconds: 5 });
    await serve(store, 'a');
    const outbox = store.outboxes.ref('kafka', 0);
    const targets = [store.outboxes.target(outbox, 'rule', Buffer.from('bye')), target('a', 'bye')];
    const will = { kind: 'will', clientId: c, epoch } as const;
    assert.deepEqual(await once(will, targets), { word: 'ok', seqs: [0, 1] });
    assert.deepEqual(await once(will, targets), { word: 'seen' });
    assert.deepEqual(await queued(store, 'a'), ['1 bye']);
    assert.equal(await store.outboxes.size(outbox), 1);
    await store.sessions.release(c, epoch, 0, 60, 'keep');
    assert.equal(await store.sessions.pendingWill(c), null);
  });

  it('the will of a former owner fires before the session is opened, and not after', async () => {
    const first = await serve(store, c, 'n1', { will: Buffer.from('bye') });
    const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n2' });
    assert.deepEqual(await once({ kind: 'will', clientId: c, epoch: first }, []), { word: 'ok', seqs: [] });
    const answer = await store.sessions.open(opening(c, epoch, { will: Buffer.from('next') }));
    assert.ok(answer !== 'fenced');
    assert.equal(answer.ended, null);
    assert.deepEqual(await once({ kind: 'will', clientId: c, epoch: first }, []), { word: 'fenced' });
  });

  it('ten thousand commands in one batch all come back in their slots', async () => {
    store = await open(queueLimits({ maxMessages: 20_000 }));
    await serve(store, c);
    const seqs = await push(store, c, ...Array.from({ length: 10_000 }, (_, i) => `m${i}`));
    assert.deepEqual(seqs, Array.from({ length: 10_000 }, (_, i) => i + 1));
  });

  it('an empty batch commits', async () => {
    await committed(store, () => () => undefined);
  });
});
