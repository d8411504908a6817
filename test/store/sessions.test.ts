import assert from 'node:assert/strict';
import { neverExpires, type EndedSession, type OpenedSession } from '../../src/store/sessions.ts';
import type { Store } from '../../src/store/store.ts';
import { eventually } from '../support/eventually.ts';
import { committed, forEachStore, opening, push, queued, serve } from './stores.ts';

const will = Buffer.from([0, 255, 13, 10]);

function opened(answer: OpenedSession | 'fenced'): OpenedSession {
  assert.notEqual(answer, 'fenced');
  return answer as OpenedSession;
}

function filters(ended: EndedSession | null): string[] | undefined {
  return ended?.subscriptions.map(({ filter }) => filter).sort();
}

forEachStore('sessions', (open) => {
  let store: Store;
  const c = 'car {1}:a%';

  beforeEach(async () => {
    store = await open();
  });

  async function claimAndOpen(owner: string, more = {}): Promise<OpenedSession & { epoch: number }> {
    const { epoch } = await store.sessions.claim({ clientId: c, owner });
    return { ...opened(await store.sessions.open(opening(c, epoch, more))), epoch };
  }

  describe('claim', () => {
    it('a first claim has no former owner, and its session is not present', async () => {
      const { epoch, former } = await store.sessions.claim({ clientId: c, owner: 'n1' });
      assert.equal(former, null);
      assert.deepEqual(await store.sessions.open(opening(c, epoch)), {
        present: false,
        subscriptions: [],
        incoming: [],
        released: [],
        sentUpTo: 0,
        releasedInOrder: true,
        ended: null,
      });
    });

    it('a second claim has a higher epoch and names the owner that has not let go', async () => {
      const first = await serve(store, c, 'n1');
      const { epoch, former } = await store.sessions.claim({ clientId: c, owner: 'n2' });
      assert.ok(epoch > first);
      assert.equal(former, 'n1');
    });

    it('of two claims in a row both name the first owner, and only the later one opens', async () => {
      await serve(store, c, 'n1');
      const second = await store.sessions.claim({ clientId: c, owner: 'n2' });
      const third = await store.sessions.claim({ clientId: c, owner: 'n3' });
      assert.equal(third.former, 'n1');
      assert.equal(await store.sessions.open(opening(c, second.epoch)), 'fenced');
      assert.equal(opened(await store.sessions.open(opening(c, third.epoch))).present, true);
    });

    it('a claim after the former owner let go names nobody', async () => {
      const first = await serve(store, c, 'n1');
      assert.equal(await store.sessions.release(c, first, 0, 60, 'drop'), 'ok');
      assert.equal((await store.sessions.claim({ clientId: c, owner: 'n2' })).former, null);
    });

    it('a former owner that lets go during a handover is not named by the next claim', async () => {
      const first = await serve(store, c, 'n1');
      await store.sessions.claim({ clientId: c, owner: 'n2' });
      assert.equal(await store.sessions.release(c, first, 5, 60, 'drop'), 'ok');
      assert.equal((await store.sessions.claim({ clientId: c, owner: 'n3' })).former, 'n2');
    });

    it('epochs grow over the end of a session', async () => {
      const first = await serve(store, c);
      await store.sessions.end(c, first);
      const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n2' });
      assert.ok(epoch > first);
    });
  });

  describe('open', () => {
    it('a session goes on with its subscriptions, binary options and the mark of a release in order', async () => {
      const first = await serve(store, c);
      const options = Buffer.from([0, 128, 255, 10]);
      await store.sessions.subscribe(c, first, [
        { filter: 'ü/+/x', options },
        { filter: 'a/#', options: Buffer.of(2) },
      ]);
      await store.sessions.release(c, first, 7, 60, 'drop');
      const next = await claimAndOpen('n2');
      assert.equal(next.present, true);
      assert.equal(next.sentUpTo, 7);
      assert.equal(next.releasedInOrder, true);
      assert.equal(next.ended, null);
      assert.deepEqual(new Map(next.subscriptions.map((s) => [s.filter, s.options])), new Map([['a/#', Buffer.of(2)], ['ü/+/x', options]]));
    });

    it('after an owner that did not let go the mark is not exact', async () => {
      const first = await serve(store, c);
      await store.sessions.release(c, first, 7, 60, 'drop');
      await claimAndOpen('n2');
      const next = await claimAndOpen('n3');
      assert.deepEqual([next.sentUpTo, next.releasedInOrder], [7, false]);
    });

    it('a release without knowledge of what was sent keeps the mark but is not in order', async () => {
      const first = await serve(store, c);
      await store.sessions.release(c, first, -1, 60, 'keep');
      const next = await claimAndOpen('n2');
      assert.deepEqual([next.sentUpTo, next.releasedInOrder], [0, false]);
    });

    it('clean start ends the earlier session and hands back its subscriptions and will', async () => {
      const first = await serve(store, c, 'n1', { will, willDelaySeconds: 30 });
      await push(store, c, 'one');
      await store.sessions.release(c, first, 1, 60, 'keep');
      const next = await claimAndOpen('n2', { cleanStart: true });
      assert.equal(next.present, false);
      assert.deepEqual(next.subscriptions, []);
      assert.deepEqual([next.sentUpTo, next.releasedInOrder], [0, true]);
      assert.deepEqual(filters(next.ended), ['a/#']);
      assert.deepEqual(next.ended?.will, will);
      assert.deepEqual(await push(store, c, 'two'), [0]);
    });

    it('a new queue after clean start begins at 1 again', async () => {
      await serve(store, c);
      assert.deepEqual(await push(store, c, 'one', 'two'), [1, 2]);
      await serve(store, c, 'n2', { cleanStart: true });
      assert.deepEqual(await push(store, c, 'three'), [1]);
    });

    it('a session that was to end with its connection does not go on when its owner died', async () => {
      await serve(store, c, 'n1', { expirySeconds: 0 });
      const next = await claimAndOpen('n2');
      assert.equal(next.present, false);
      assert.deepEqual(filters(next.ended), ['a/#']);
    });

    it('a former owner can turn the expiry to 0 during the handover', async () => {
      const first = await serve(store, c);
      const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n2' });
      await store.sessions.release(c, first, 0, 0, 'drop');
      assert.equal(opened(await store.sessions.open(opening(c, epoch))).present, false);
    });

    it('an expired session does not go on, though nobody has ended it yet', async () => {
      const first = await serve(store, c);
      await store.sessions.release(c, first, 0, 0, 'drop');
      const next = await claimAndOpen('n2');
      assert.equal(next.present, false);
      assert.deepEqual(filters(next.ended), ['a/#']);
    });

    it('a session that never expires goes on', async () => {
      const first = await serve(store, c, 'n1', { expirySeconds: neverExpires });
      await store.sessions.release(c, first, 0, neverExpires, 'drop');
      assert.equal((await claimAndOpen('n2')).present, true);
    });

    it('a delayed will is cancelled by coming back', async () => {
      const first = await serve(store, c, 'n1', { will, willDelaySeconds: 30 });
      await store.sessions.release(c, first, 0, 60, 'keep');
      assert.equal((await claimAndOpen('n2')).ended, null);
      assert.equal(await store.sessions.orphan(c, 'n1'), null);
      assert.equal((await store.sessions.orphan(c, 'n2'))?.will, null);
    });

    it('a will without delay whose owner died is dropped: the client is back, whether its session goes on or not', async () => {
      await serve(store, c, 'n1', { will });
      const next = await claimAndOpen('n2', { will: Buffer.from('next') });
      assert.equal(next.present, true);
      assert.equal(next.ended, null);
      assert.deepEqual((await store.sessions.orphan(c, 'n2'))?.will, Buffer.from('next'));
      assert.equal((await claimAndOpen('n3', { cleanStart: true })).ended?.will, null);
    });

    it('opening again under the same epoch gives the same answer', async () => {
      await serve(store, c, 'n1', { will, willDelaySeconds: 30 });
      const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n2' });
      const request = opening(c, epoch, { cleanStart: true, will: Buffer.from('next') });
      const first = opened(await store.sessions.open(request));
      const again = opened(await store.sessions.open(request));
      assert.deepEqual(again, { ...first, releasedInOrder: false });
      assert.deepEqual(again.ended?.will, will);
      assert.equal(again.present, false);
    });
  });

  describe('fence', () => {
    it('the former owner is heard until the session is opened, and not after', async () => {
      const first = await serve(store, c, 'n1', { will, willDelaySeconds: 9 });
      await push(store, c, 'one', 'two', 'three');
      const queue = store.queues.ref(c);
      const lastWords = () =>
        committed(store, (batch) => {
          const owned = [
            store.queues.acknowledge(batch, queue, first, [1]),
            store.queues.receive(batch, queue, first, [2]),
            store.queues.complete(batch, queue, first, [9]),
            store.queues.forget(batch, queue, first, [9]),
          ];
          const once = store.queues.pushOnce(batch, { kind: 'incoming', clientId: c, epoch: first, packetId: 4 }, []);
          return () => [...owned.map((slot) => store.queues.owned(batch, slot)), store.queues.once(batch, [], once).word];
        });

      const second = await store.sessions.claim({ clientId: c, owner: 'n2' });
      assert.deepEqual(await lastWords(), ['ok', 'ok', 'ok', 'ok', 'ok']);
      assert.equal(await store.sessions.subscribe(c, first, []), 'fenced');
      assert.equal(await store.sessions.unsubscribe(c, first, ['a/#']), 'fenced');
      assert.equal(await store.sessions.end(c, first), 'fenced');

      const next = opened(await store.sessions.open(opening(c, second.epoch)));
      assert.deepEqual(next.released, [2]);
      assert.deepEqual(next.incoming, [4]);
      assert.deepEqual(await queued(store, c), ['3 three']);
      assert.deepEqual(await lastWords(), ['fenced', 'fenced', 'fenced', 'fenced', 'fenced']);
      assert.equal(await store.sessions.release(c, first, 3, 60, 'drop'), 'fenced');
      assert.deepEqual(await queued(store, c), ['3 three']);
    });

    it('a former owner cannot end the session, though its own opening ended an earlier one', async () => {
      await serve(store, c, 'n1', { expirySeconds: 0 });
      const second = await serve(store, c, 'n2', { expirySeconds: 0 });
      const third = await store.sessions.claim({ clientId: c, owner: 'n3' });
      assert.equal(await store.sessions.end(c, second), 'fenced');
      assert.equal(await store.sessions.release(c, second, 0, 0, 'drop'), 'ok');
      assert.equal(await store.sessions.end(c, second), 'fenced');
      assert.equal(opened(await store.sessions.open(opening(c, third.epoch))).present, false);
    });

    it('an epoch of an ended session is refused everywhere', async () => {
      const first = await serve(store, c);
      await store.sessions.end(c, first);
      await serve(store, c, 'n2');
      assert.equal(await store.sessions.open(opening(c, first)), 'fenced');
      assert.equal(await store.sessions.subscribe(c, first, []), 'fenced');
      assert.equal(await store.sessions.unsubscribe(c, first, ['a/#']), 'fenced');
      assert.equal(await store.sessions.release(c, first, 0, 0, 'drop'), 'fenced');
      assert.deepEqual(await push(store, c, 'one'), [1]);
    });

    it('a former owner that let go is not heard any more', async () => {
      const first = await serve(store, c);
      await store.sessions.claim({ clientId: c, owner: 'n2' });
      assert.equal(await store.sessions.release(c, first, 1, 60, 'drop'), 'ok');
      assert.equal(await store.sessions.release(c, first, 0, 60, 'drop'), 'fenced');
    });
  });

  describe('release, end, expire', () => {
    it('a session that was claimed and never opened is forgotten by its release', async () => {
      const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n1' });
      assert.equal(await store.sessions.release(c, epoch, -1, 60, 'keep'), 'ok');
      assert.equal(await store.sessions.orphan(c, 'n1'), null);
      assert.equal((await store.sessions.claim({ clientId: c, owner: 'n2' })).former, null);
    });

    it('the stored subscriptions can be read without serving the session', async () => {
      assert.deepEqual(await store.sessions.subscriptions(c), { epoch: 0, subscriptions: [] });
      const epoch = await serve(store, c);
      await store.sessions.subscribe(c, epoch, [{ filter: 'b', options: Buffer.of(2) }]);
      const stored = await store.sessions.subscriptions(c);
      assert.equal(stored.epoch, epoch);
      assert.deepEqual(stored.subscriptions, [
        { filter: 'a/#', options: Buffer.of(1) },
        { filter: 'b', options: Buffer.of(2) },
      ]);
    });

    it('unsubscribed filters are gone, the others stay', async () => {
      const first = await serve(store, c);
      await store.sessions.subscribe(c, first, [{ filter: 'b', options: Buffer.of(0) }]);
      assert.equal(await store.sessions.unsubscribe(c, first, ['a/#', 'never']), 'ok');
      assert.deepEqual((await claimAndOpen('n2')).subscriptions, [{ filter: 'b', options: Buffer.of(0) }]);
    });

    it('five thousand subscriptions at once are kept', async () => {
      const first = await serve(store, c);
      const many = Array.from({ length: 5000 }, (_, i) => ({ filter: `f/${i}`, options: Buffer.of(i % 256) }));
      assert.equal(await store.sessions.subscribe(c, first, many), 'ok');
      assert.equal((await claimAndOpen('n2')).subscriptions.length, 5001);
      assert.equal(await store.sessions.unsubscribe(c, (await claimAndOpen('n3')).epoch, many.map((s) => s.filter)), 'ok');
      assert.equal((await claimAndOpen('n4')).subscriptions.length, 1);
    });

    it('end gives what is left to tidy up, and nothing is left', async () => {
      const first = await serve(store, c, 'n1', { will });
      const ended = await store.sessions.end(c, first);
      assert.notEqual(ended, 'fenced');
      assert.deepEqual(filters(ended as EndedSession), ['a/#']);
      assert.deepEqual((ended as EndedSession).will, will);
      assert.deepEqual(await push(store, c, 'one'), [0]);
      assert.equal((await claimAndOpen('n2')).present, false);
    });

    it('expire keeps a session that is owned, not due, or not there', async () => {
      assert.equal(await store.sessions.expire(c), 'kept');
      const first = await serve(store, c);
      assert.equal(await store.sessions.expire(c), 'kept');
      await store.sessions.release(c, first, 0, 3600, 'drop');
      const { dueInMs } = (await store.sessions.expire(c)) as { dueInMs: number };
      assert.ok(dueInMs > 3_590_000 && dueInMs <= 3_600_000, `it is due in ${dueInMs} ms`);
      const second = (await claimAndOpen('n2')).epoch;
      await store.sessions.release(c, second, 0, neverExpires, 'drop');
      assert.equal(await store.sessions.expire(c), 'kept');
      assert.equal((await claimAndOpen('n3')).present, true);
    });

    it('expire ends a session when its time has come, by the clock of the store', async () => {
      const first = await serve(store, c, 'n1', { will, willDelaySeconds: 9 });
      await store.sessions.release(c, first, 0, 1, 'keep');
      const ended = await eventually(
        async () => {
          const answer = await store.sessions.expire(c);
          return answer === 'kept' || 'dueInMs' in answer ? null : answer;
        },
        { what: 'expired session' },
      );
      assert.deepEqual(filters(ended), ['a/#']);
      assert.deepEqual(ended.will, will);
      assert.deepEqual(await push(store, c, 'one'), [0]);
    });

    it('a claim stops the expiry before it is opened', async () => {
      const first = await serve(store, c);
      await store.sessions.release(c, first, 0, 0, 'drop');
      await store.sessions.claim({ clientId: c, owner: 'n2' });
      assert.equal(await store.sessions.expire(c), 'kept');
    });

    it('an orphan is known to its dead owner only', async () => {
      const epoch = await serve(store, c, 'n1', { will, willDelaySeconds: 9, expirySeconds: 77 });
      assert.equal(await store.sessions.orphan(c, 'n2'), null);
      assert.equal(await store.sessions.orphan('nobody', 'n1'), null);
      assert.deepEqual(await store.sessions.orphan(c, 'n1'), { epoch, expirySeconds: 77, will, willDelaySeconds: 9 });
    });

    it('a pending will is one that nobody owns', async () => {
      const first = await serve(store, c, 'n1', { will, willDelaySeconds: 9 });
      assert.equal(await store.sessions.pendingWill(c), null);
      await store.sessions.release(c, first, 0, 60, 'keep');
      assert.deepEqual(await store.sessions.pendingWill(c), { epoch: first, will });
      await store.sessions.claim({ clientId: c, owner: 'n2' });
      assert.equal(await store.sessions.pendingWill(c), null);
    });

    it('a will dropped by a release is gone', async () => {
      const first = await serve(store, c, 'n1', { will, willDelaySeconds: 9 });
      await store.sessions.release(c, first, 0, 60, 'drop');
      assert.equal(await store.sessions.pendingWill(c), null);
    });
  });
});
