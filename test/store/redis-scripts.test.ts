import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { allScripts } from '../../src/redis/script.ts';
import type { RedisLink } from '../../src/redis/connect.ts';
import { openRedisStore } from '../../src/store/redis/store.ts';
import type { Store } from '../../src/store/store.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { away, committed, limits, openLink, opening, push, queued, queueLimits, serve, tend } from './stores.ts';

const c = 'car {1}';
const will = Buffer.from('bye');

describe('scripts of the store', () => {
  let server: RedisServer;
  let link: RedisLink;
  let store: Store;

  before(async () => {
    // one node that holds every slot: it refuses a script whose keys lie in different ones
    server = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    const admin = server.client();
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually(async () => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'), { what: 'cluster' });
  });

  after(() => server.stop());

  beforeEach(async () => {
    link = await openLink(server, { url: server.url.replace('redis:', 'redis+cluster:') });
    store = openRedisStore(link, limits);
  });

  async function keysLeft(): Promise<string[]> {
    return (await server.client().keys(`${link.settings.prefix}*`)).map((key) => key.slice(link.settings.prefix.length)).sort();
  }

  it('all keys of each script share one slot, but for the two that do everything in one step where there is one server', async () => {
    const files = readdirSync(new URL('../../src/store/redis/lua/', import.meta.url));
    const names = files.map((file) => file.slice(0, -'.lua'.length)).filter((name) => name !== 'queue_push_once' && name !== 'will_fire');
    const called = new Set<string>();
    const monitor = await server.client().monitor();
    atEnd('a monitor', () => {
      monitor.disconnect();
    });
    monitor.on('monitor', (_time, [command, sha]: string[]) => {
      const script = allScripts.find((one) => one.sha === sha);
      if (command?.toUpperCase() === 'EVALSHA' && script !== undefined) called.add(script.name);
    });

    const { sessions, queues, outboxes, retained, due } = store;
    const epoch = await serve(store, c, 'n1', { will, willDelaySeconds: 9 });
    await push(store, c, 'one', 'two');
    const queue = queues.ref(c);
    const outbox = outboxes.ref('{kafka}', 7);
    const itself = [{ kind: 'queue', queue, head: will, record: will }] as const;
    const words = await committed(store, (batch) => {
      const owned = [
        queues.acknowledge(batch, queue, epoch, [1]),
        queues.receive(batch, queue, epoch, [2]),
        queues.complete(batch, queue, epoch, [2]),
        queues.forget(batch, queue, epoch, [3]),
      ];
      const last = queues.last(batch, queue);
      const once = [
        queues.pushOnce(batch, { kind: 'incoming', clientId: c, epoch, packetId: 3 }, itself),
        queues.pushOnce(batch, { kind: 'will', clientId: c, epoch }, itself),
      ];
      retained.put(batch, 'a', will, 1);
      retained.put(batch, 'b', null, 0);
      return () => {
        assert.equal(queues.lastSeq(batch, last), 2);
        return [...owned.map((slot) => queues.owned(batch, slot)), ...once.map((slot) => queues.once(batch, itself, slot).word)];
      };
    });
    assert.deepEqual(words, ['ok', 'ok', 'ok', 'ok', 'ok', 'ok']);
    for (const dropsNewest of [false, true]) {
      const narrow = openRedisStore(link, queueLimits({ maxMessages: 1, dropsNewest }));
      await away(narrow, 'away {2}');
      await push(narrow, 'away {2}', 'one', 'two');
      assert.deepEqual(await tend(narrow), { 'away {2} messages': 1 });
      await narrow.sessions.end('away {2}', await serve(narrow, 'away {2}'));
    }
    assert.equal(await committed(store, (batch) => {
      const slot = queues.last(batch, queue);
      return () => queues.lastSeq(batch, slot);
    }), 4);
    assert.equal(await sessions.unsubscribe(c, epoch, ['a/#']), 'ok');
    assert.equal(await sessions.release(c, epoch, 0, 0, 'drop'), 'ok');
    assert.notEqual(await sessions.expire(c), 'kept');
    assert.notEqual(await sessions.end(c, await serve(store, c)), 'fenced');
    assert.deepEqual(await retained.match('#').next(), [will]);
    assert.equal(await retained.expire(1), 1);
    const token = await outboxes.lead(outbox, 'n1', 1000);
    assert.equal(await outboxes.remove(outbox, token!, ['1-1']), 'ok');
    await outboxes.resign(outbox, token!);
    await due.remind('wills', c, 0);
    assert.deepEqual(await due.ripe('wills', 1), [c]);
    await due.done('wills', c);
    await eventually(() => names.every((name) => called.has(name)), { what: `call of ${names.filter((n) => !called.has(n)).join(' ')}` });
  });

  it('a session that ended leaves no key but what is left to tidy up', async () => {
    const epoch = await serve(store, c, 'n1', { will });
    await push(store, c, 'one', 'two');
    await committed(store, (batch) => {
      store.queues.receive(batch, store.queues.ref(c), epoch, [1]);
      store.queues.pushOnce(batch, { kind: 'incoming', clientId: c, epoch, packetId: 3 }, []);
      return () => undefined;
    });
    const session = 's:{car %7b1%7d}';
    assert.deepEqual(await keysLeft(), [session, `${session}:in`, `${session}:q`, `${session}:rel`, `${session}:subs`]);
    await store.sessions.end(c, epoch);
    assert.deepEqual(await keysLeft(), [`${session}:ended`]);
    const lives = await server.client().pttl(link.keys.ended(c));
    assert.ok(lives > 0 && lives <= 60_000);
    assert.deepEqual(await push(store, c, 'three'), [0]);
    assert.deepEqual(await keysLeft(), [`${session}:ended`]);
  });

  it('a session without subscriptions and will leaves nothing', async () => {
    const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n1' });
    await store.sessions.open(opening(c, epoch));
    await store.sessions.end(c, epoch);
    assert.deepEqual(await keysLeft(), []);
  });

  it('ending or expiring a session again, as after a lost reply, gives the same', async () => {
    const epoch = await serve(store, c, 'n1', { will });
    const ended = await store.sessions.end(c, epoch);
    assert.notEqual(ended, 'fenced');
    assert.deepEqual(await store.sessions.end(c, epoch), ended);
    assert.equal(await store.sessions.expire(c), 'kept');

    const next = await serve(store, c, 'n1', { will });
    await store.sessions.release(c, next, 0, 0, 'keep');
    const expired = await store.sessions.expire(c);
    assert.notEqual(expired, 'kept');
    assert.deepEqual(await store.sessions.expire(c), expired);
    assert.equal(await store.sessions.end(c, next), 'fenced');
  });

  it('the first epoch of a session is the time, so that it is above every earlier one', async () => {
    const before = Date.now() * 1000;
    const { epoch } = await store.sessions.claim({ clientId: c, owner: 'n1' });
    assert.ok(epoch >= before - 1000 && epoch <= (Date.now() + 1) * 1000, `${epoch}`);
    assert.equal((await store.sessions.claim({ clientId: c, owner: 'n1' })).epoch, epoch + 1);
  });

  it('queue entries of a foreign form are passed over', async () => {
    await serve(store, c);
    const key = link.keys.queue(c);
    const client = server.client();
    await push(store, c, 'one');
    await client.xadd(key, '1-2', 'x', 'y', 'z', 'z');
    await client.xadd(key, '1-3', 'm', '');
    await client.xadd(key, '1-4', 'm', Buffer.from([0, 9, 1]));
    await push(store, c, 'five');
    await client.xadd(key, '2-1', 'm', Buffer.from([0, 0, 1]));
    assert.deepEqual(await queued(store, c), ['1 one', '5 five']);
    assert.deepEqual((await store.queues.read(store.queues.ref(c), 1, 2)).map(({ seq }) => seq), [1, 5]);
  });

  it('a key that somebody else wrote to is store-corrupt', async () => {
    await server.client().set(link.keys.session(c), 'x');
    await assert.rejects(store.sessions.claim({ clientId: c, owner: 'n1' }), /WRONGTYPE/);
    await server.client().set(link.keys.outbox('kafka', 0), 'x');
    const measured = committed(store, (batch) => {
      const slot = store.outboxes.measure(batch, store.outboxes.ref('kafka', 0));
      return () => store.outboxes.length(batch, slot);
    });
    await assert.rejects(measured, { code: 'store-corrupt' });
  });
});
