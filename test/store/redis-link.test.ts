import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import { BrokerError } from '../../src/base/errors.ts';
import type { RedisBatch } from '../../src/redis/batch.ts';
import { RedisLink } from '../../src/redis/connect.ts';
import { openRedisStore } from '../../src/store/redis/store.ts';
import { eventually, within } from '../support/eventually.ts';
import { freePort } from '../support/ports.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { limits, openLink, push, queued, queueLimits, serve } from './stores.ts';

function commit(batch: RedisBatch): Promise<void> {
  return new Promise((resolve, reject) => {
    batch.commit((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function isUnavailable(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'store-unavailable';
}

/** The numbers 1..n, each perhaps more than once, and never one before the first of a smaller one. */
function assertInOrderAtLeastOnce(found: number[], n: number): void {
  let highest = 0;
  for (const number of found) {
    assert.ok(number <= highest + 1, `${number} came before ${highest + 1}`);
    highest = Math.max(highest, number);
  }
  assert.equal(highest, n);
}

describe('link to Redis', () => {
  let server: RedisServer;

  before(async () => {
    server = await startRedis({ appendonly: true });
  });

  after(() => server.stop());

  it('each command of a batch has its own reply', async () => {
    const link = await openLink(server);
    const batch = link.begin();
    const slots = [
      batch.add('SET', 'replies', Buffer.from([0, 255, 13, 10])),
      batch.add('GET', 'replies'),
      batch.add('INCR', 'replies:n'),
      batch.add('GET', 'nothing'),
      batch.add('LRANGE', 'nothing', 0, -1),
    ];
    await commit(batch);
    assert.deepEqual(slots.map((slot) => batch.reply(slot)), [Buffer.from('OK'), Buffer.from([0, 255, 13, 10]), 1, null, []]);
  });

  it('a refused command among many leaves the others alone', async () => {
    const link = await openLink(server);
    const batch = link.begin();
    for (let i = 0; i < 1000; i++) {
      if (i === 500) batch.add('XADD', 'refused:0', '*', 'a', 'b');
      else batch.add('SET', `refused:${i}`, i);
    }
    await commit(batch);
    const refused = batch.reply(500);
    assert.ok(refused instanceof Error && refused.message.startsWith('WRONGTYPE'));
    for (let i = 0; i < 1000; i++) if (i !== 500) assert.deepEqual(batch.reply(i), Buffer.from('OK'));
  });

  it('megabytes go through between small commands', async () => {
    const link = await openLink(server);
    const large = Buffer.alloc(5_000_000, Buffer.from('\r\n$-1\r\n'));
    const batch = link.begin();
    for (let i = 0; i < 5; i++) {
      batch.add('SET', `large:${i}`, large);
      batch.add('STRLEN', `large:${i}`);
    }
    const back = batch.add('GET', 'large:4');
    await commit(batch);
    for (let i = 0; i < 5; i++) assert.equal(batch.reply(i * 2 + 1), large.length);
    assert.ok(large.equals(batch.reply(back) as Buffer));
  });

  it('a batch is used again without a trace of the one before', async () => {
    const link = await openLink(server);
    const first = link.begin();
    first.add('SET', 'again', Buffer.alloc(100_000));
    await commit(first);
    const second = link.begin();
    const slot = second.add('STRLEN', 'again');
    await commit(second);
    assert.equal(second.reply(slot), 100_000);
    assert.equal(second.size, 1);
  });

  it('scripts that Redis has forgotten are loaded again, and nothing else is repeated', async () => {
    const link = await openLink(server);
    const store = openRedisStore(link, limits);
    const epoch = await serve(store, 'flushed');
    await push(store, 'flushed', 'one', 'two');
    await server.client().call('SCRIPT', 'FLUSH');
    const batch = link.begin();
    const queue = store.queues.ref('flushed');
    const before = batch.add('INCR', 'flushed:n');
    const owned = store.queues.acknowledge(batch, queue, epoch, [1]);
    const after = batch.add('INCR', 'flushed:n');
    await commit(batch);
    assert.equal(store.queues.owned(batch, owned), 'ok');
    assert.deepEqual([batch.reply(before), batch.reply(after)], [1, 2]);
    assert.deepEqual(await queued(store, 'flushed'), ['2 two']);
    await server.client().call('SCRIPT', 'FLUSH');
    assert.equal(await store.sessions.subscribe('flushed', epoch, []), 'ok');
  });

  it('commands asked for in one turn share a round trip and keep their replies apart', async () => {
    const link = await openLink(server);
    const replies = await Promise.all(Array.from({ length: 1000 }, (_, i) => link.command('ECHO', `e${i}`)));
    assert.deepEqual(replies.map(String), Array.from({ length: 1000 }, (_, i) => `e${i}`));
  });

  it('what Redis has no memory for waits until it has', async () => {
    const link = await openLink(server);
    const admin = server.client();
    await admin.config('SET', 'maxmemory', '1');
    try {
      const batch = link.begin();
      const slots = [batch.add('GET', 'nothing'), batch.add('SET', 'memory', 'x')];
      let isDone = false;
      const done = commit(batch).then(() => (isDone = true));
      // later commands go after it, and the link itself is well
      await link.command('PING');
      assert.equal(isDone, false);
      await admin.config('SET', 'maxmemory', '0');
      await within(done, 5_000);
      assert.deepEqual(slots.map((slot) => batch.reply(slot)), [null, Buffer.from('OK')]);
    } finally {
      await admin.config('SET', 'maxmemory', '0');
    }
  });

  describe('that refuses for want of memory', () => {
    const filler = 8_000_000;

    /** Fills Redis: what `DEL filler` gives back is more than what it lacks. */
    async function fill(admin: Redis): Promise<void> {
      const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))![1]);
      await admin.set('filler', Buffer.alloc(filler));
      await admin.config('SET', 'maxmemory', String(used + filler / 2));
    }

    /** A link that has been refused something a moment ago. */
    async function warned(admin: Redis): Promise<RedisLink> {
      const link = await openLink(server);
      await admin.config('SET', 'maxmemory', '1');
      const batch = link.begin();
      batch.add('SET', 'oom:warning', 0);
      const done = commit(batch);
      await eventually(() => link.refusal !== null, { what: 'refusal' });
      await admin.config('SET', 'maxmemory', '0');
      await done;
      return link;
    }

    afterEach(async () => {
      const admin = server.client();
      await admin.config('SET', 'maxmemory', '0');
      await admin.del('filler');
    });

    it('what was refused is not overtaken by what came after it and found room', async () => {
      const admin = server.client();
      const link = await warned(admin);
      await fill(admin);
      const batch = link.begin();
      for (let i = 1; i <= 3; i++) batch.add('RPUSH', 'oom:order', i);
      batch.add('DEL', 'filler');
      for (let i = 4; i <= 6; i++) batch.add('RPUSH', 'oom:order', i);
      const done = commit(batch);
      await link.command('PING');
      assert.equal(await admin.llen('oom:order'), 0, 'all or nothing');
      await admin.config('SET', 'maxmemory', '0');
      await within(done, 5_000, 'the commit');
      assert.deepEqual(await admin.lrange('oom:order', 0, -1), ['1', '2', '3', '4', '5', '6']);
    });

    it('what only frees memory comes through by itself, and makes room for the rest', async () => {
      const admin = server.client();
      const link = await warned(admin);
      await fill(admin);
      const batch = link.begin();
      const slots = [batch.add('RPUSH', 'oom:freeing', 1), batch.frees(batch.add('DEL', 'filler')), batch.add('RPUSH', 'oom:freeing', 2)];
      await within(commit(batch), 5_000, 'the commit');
      assert.deepEqual(slots.map((slot) => batch.reply(slot)), [1, 1, 2]);
    });

    it('one command of a foreign kind does not hold up the others', async () => {
      const admin = server.client();
      await admin.set('oom:text', 'x');
      const link = await warned(admin);
      for (const foreign of ['RPUSH', 'NOSUCH']) {
        const batch = link.begin();
        const slots = [batch.add('INCR', 'oom:count'), batch.add(foreign, 'oom:text', 1), batch.add('INCR', 'oom:count')];
        await within(commit(batch), 5_000, 'the commit');
        assert.ok(batch.reply(slots[1]!) instanceof Error);
      }
      assert.equal(await admin.get('oom:count'), '4');
    });

    it('a Redis that is nearly full makes wary before it refuses anything', async () => {
      const admin = server.client();
      const link = await openLink(server);
      const transactions = async (): Promise<number> => Number(/cmdstat_exec:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
      const before = await transactions();
      await eventually(async () => {
        const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))![1]);
        await admin.config('SET', 'maxmemory', String(Math.round(used * 1.1)));
        const batch = link.begin();
        batch.add('GET', 'nothing');
        batch.add('GET', 'nothing');
        await commit(batch);
        return (await transactions()) > before;
      }, { what: 'batch as a transaction' });
    });
  });

  it('batches in flight when Redis is killed are carried out when it is back, in their order', async () => {
    const link = await openLink(server);
    const store = openRedisStore(link, queueLimits({ maxMessages: 100_000 }));
    await serve(store, 'killed');
    const queue = store.queues.ref('killed');
    let number = 0;
    const send = (): Promise<void> => {
      const batch = store.begin();
      for (let i = 0; i < 500; i++) store.queues.push(batch, queue, Buffer.of(1), Buffer.from(String(++number)));
      return commit(batch as RedisBatch);
    };
    for (let round = 0; round < 3; round++) {
      const sending = Array.from({ length: 10 }, send);
      await sending[0];
      const killed = server.kill();
      sending.push(send(), send());
      await killed;
      sending.push(send());
      assert.ok(link.awayMs >= 0);
      await server.restart();
      await within(Promise.all(sending), 15_000, 'the commit');
      assert.equal(link.awayMs, 0);
    }
    const entries = await store.queues.read(queue, 1, 100_000);
    assertInOrderAtLeastOnce(entries.map(({ record }) => Number(record.toString())), number);
  });

  it('a Redis that hangs is connected anew, and the batch is carried out', async () => {
    const link = await openLink(server, { commandTimeoutMs: 300 });
    const batch = link.begin();
    const slot = batch.add('ECHO', 'awake');
    server.pause();
    let done: Promise<void>;
    try {
      done = commit(batch);
      await assert.rejects(link.command('PING'), isUnavailable);
    } finally {
      server.resume();
    }
    await within(done, 10_000, 'the commit');
    assert.deepEqual(batch.reply(slot), Buffer.from('awake'));
    await link.patiently(() => link.command('PING'), 5_000);
  });

  it('while Redis is away a command is refused at once, and patience gets it through', async () => {
    const link = await openLink(server);
    await server.kill();
    await within(assert.rejects(link.patiently(() => link.command('PING'), 0), isUnavailable), 2_000);
    const patient = link.patiently(() => link.command('PING'), 10_000);
    await server.restart();
    assert.deepEqual(await patient, Buffer.from('PONG'));
  });

  it('closing the link fails what Redis does not answer, and what comes later', async () => {
    const link = await openLink(server);
    server.pause();
    try {
      const inFlight = link.begin();
      inFlight.add('PING');
      const failing = assert.rejects(commit(inFlight), isUnavailable);
      await link.close();
      await within(failing, 5_000);
      const late = link.begin();
      late.add('PING');
      await assert.rejects(commit(late), isUnavailable);
    } finally {
      server.resume();
    }
  });

  it('closing the link fails what waits for Redis', async () => {
    const link = await openLink(server);
    await server.kill();
    const batch = link.begin();
    batch.add('PING');
    const waiting = assert.rejects(commit(batch), isUnavailable);
    await link.close();
    await within(waiting, 2_000);
    await server.restart();
  });

  it('a Redis that would throw away what it is to keep is refused, unless that is allowed', async () => {
    const evicting = await startRedis({ args: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'] });
    await assert.rejects(openLink(evicting), (error) => error instanceof BrokerError && error.code === 'config-invalid' && /allkeys-lru/.test(error.message));
    const link = await openLink(evicting, { allowEviction: true });
    assert.deepEqual(await link.command('PING'), Buffer.from('PONG'));
  });

  it('a replica is not taken for a primary', async () => {
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(server.port)] });
    await assert.rejects(openLink(replica, { connectTimeoutMs: 500 }), (error) => isUnavailable(error) && /is a replica and not a primary/.test(String(error)));
  });

  it('with replicas to wait for, neither a batch nor a script is done before they have it', async () => {
    const primary = await startRedis();
    const link = await openLink(primary, { waitReplicas: 1, waitTimeoutMs: 50 });
    const store = openRedisStore(link, limits);
    await assert.rejects(store.sessions.claim({ clientId: 'c', owner: 'n' }), isUnavailable);
    assert.match(String(link.refusal), /NOREPLICAS 0 of 1/);
    const batch = link.begin();
    const slot = batch.add('INCR', 'kept');
    let isDone = false;
    const done = commit(batch).then(() => (isDone = true));
    await assert.rejects(store.sessions.claim({ clientId: 'c', owner: 'n' }), isUnavailable);
    assert.equal(isDone, false);
    await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
    await within(done, 10_000, 'the commit');
    assert.equal(batch.reply(slot), 1);
    // a busy replica may take longer than the little that is waited here
    await eventually(async () => {
      try {
        return (await store.sessions.claim({ clientId: 'c', owner: 'n' })).epoch > 0;
      } catch (error) {
        assert.ok(isUnavailable(error));
        return false;
      }
    }, { what: 'a script that the replica has too' });
  });

  it('what asks first is carried out before all that waits', async () => {
    const link = await openLink(server);
    await link.command('SET', 'first', 0);
    let before: unknown;
    link.onAnew((isOfBatches) => {
      if (isOfBatches) link.first((batch) => {
        const slot = batch.add('GET', 'first');
        return () => (before = batch.reply(slot));
      });
    });
    await server.kill();
    const batch = link.begin();
    batch.add('SET', 'first', 1);
    const done = commit(batch);
    await server.restart();
    await within(done, 10_000, 'the commit');
    assert.deepEqual(before, Buffer.from('0'));
  });

  it('a Redis that cannot be reached is named without its password', async () => {
    const url = `redis://user:secret@127.0.0.1:${await freePort()}`;
    await assert.rejects(
      RedisLink.open({ url, prefix: '', connectTimeoutMs: 200, commandTimeoutMs: 200 }),
      (error) => isUnavailable(error) && /127\.0\.0\.1.*ECONNREFUSED/.test(String(error)) && !String(error).includes('secret'),
    );
  });
});
