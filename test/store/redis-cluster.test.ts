import assert from 'node:assert/strict';
import type { RedisBatch } from '../../src/redis/batch.ts';
import type { RedisLink } from '../../src/redis/connect.ts';
import { hashSlotOf } from '../../src/redis/hash-slot.ts';
import type { Once, OnceResult } from '../../src/store/queues.ts';
import { openRedisStore } from '../../src/store/redis/store.ts';
import type { Store } from '../../src/store/store.ts';
import { eventually, within } from '../support/eventually.ts';
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.ts';
import type { RedisServer } from '../support/redis.ts';
import { committed, limits, openLink, push, queued, serve } from './stores.ts';

function commit(batch: RedisBatch): Promise<void> {
  return new Promise((resolve, reject) => {
    batch.commit((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

describe('link to a Redis Cluster', function () {
  this.timeout(60_000);
  let cluster: RedisCluster;
  let link: RedisLink;
  let store: Store;

  before(async () => {
    cluster = await startRedisCluster({ primaries: 3, replicas: 1 });
  });

  after(() => cluster.stop());

  beforeEach(async () => {
    link = await openLink(cluster, { waitReplicas: 0 });
    store = openRedisStore(link, limits);
  });

  /** Another primary than the one that has this slot. */
  async function another(hashSlot: number): Promise<RedisServer> {
    const owner = await cluster.ownerOf(hashSlot);
    for (const server of cluster.servers) {
      if (server !== owner && (await cluster.client(server).info('replication')).includes('role:master')) return server;
    }
    throw new Error('there is no other primary');
  }

  /** A client whose queue's slot moves away from under the link, and how to move it. */
  async function moving(clientId: string, between?: () => Promise<void>): Promise<() => Promise<void>> {
    const slot = hashSlotOf(link.keys.session(clientId));
    const to = await another(slot);
    return () => cluster.move(slot, to, between);
  }

  it('knows the slot of a key as Redis does', async () => {
    for (const key of ['a', 'sq:s:{car}', 'sq:{}x', '{a}{b}', 'ü{ü', 'x{', 'x{y}', '123456789']) assert.equal(hashSlotOf(key), await cluster.slotOf(key), key);
  });

  it('a batch of all servers has each reply in its slot, over more than one size of batch', async () => {
    for (const count of [1, 10, 1000]) {
      const batch = link.begin();
      const slots = Array.from({ length: count }, (_, i) => batch.add('SET', `k${i}`, i));
      const back = Array.from({ length: count }, (_, i) => batch.add('GET', `k${i}`));
      await commit(batch);
      assert.ok(slots.every((slot) => String(batch.reply(slot)) === 'OK'));
      assert.deepEqual(back.map((slot) => Number(batch.reply(slot))), Array.from({ length: count }, (_, i) => i));
    }
  });

  it('a slot that has moved: what was sent to its former server is carried out at the new one, once and in order', async () => {
    await serve(store, 'moved');
    await push(store, 'moved', 'one');
    const move = await moving('moved');
    await move();
    assert.deepEqual(await push(store, 'moved', 'two', 'three', 'four'), [2, 3, 4]);
    assert.deepEqual(await queued(store, 'moved'), ['1 one', '2 two', '3 three', '4 four']);
  });

  it('while a slot is on its way: nothing is lost, doubled or out of order, whatever has moved already', async () => {
    const clients = Array.from({ length: 6 }, (_, i) => `on its way ${i}`);
    await Promise.all(clients.map((client) => serve(store, client)));
    const expected = new Map(clients.map((client) => [client, [] as string[]]));
    let isOver = false;
    let batches = 0;
    const pump = async (): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        const batch = store.begin();
        for (const client of clients) {
          for (let i = 0; i < 5; i++) {
            const text = `${n}.${i}`;
            store.queues.push(batch, store.queues.ref(client), Buffer.of(1), Buffer.from(text));
            if (expected.get(client)!.length < 900) expected.get(client)!.push(text);
          }
        }
        await commit(batch as RedisBatch);
        batches++;
        if (expected.get(clients[0]!)!.length >= 900) isOver = true;
      }
    };
    const pumping = pump();
    const between = async (): Promise<void> => {
      const before = batches;
      // a few commits find the slot half here and half there: its commands are asked for one by one
      await eventually(() => isOver || batches > before, { what: 'commit in between', withinMs: 20_000 });
    };
    for (const client of clients) await (await moving(client, between))();
    isOver = true;
    await within(pumping, 20_000, 'the last commit');
    for (const client of clients) {
      const found = (await queued(store, client)).map((entry) => entry.split(' ')[1]);
      assert.deepEqual(found.slice(0, 900), expected.get(client)!.slice(0, 900), client);
    }
  });

  it('scripts of a slot on its way wait until all their keys are on one side', async () => {
    const epoch = await serve(store, 'script');
    await push(store, 'script', 'one', 'two');
    const move = await moving('script', async () => {
      await Promise.resolve();
    });
    const slot = committed(store, (batch) => {
      const owned = store.queues.acknowledge(batch, store.queues.ref('script'), epoch, [1]);
      return () => store.queues.owned(batch, owned);
    });
    await Promise.all([move(), slot]);
    assert.equal(await slot, 'ok');
    assert.deepEqual(await queued(store, 'script'), ['2 two']);
  });

  it('the last command of a batch sees what all the others did, wherever they are', async () => {
    for (let i = 0; i < 50; i++) {
      const batch = link.begin();
      for (let k = 0; k < 20; k++) batch.add('SET', `others${k}`, i);
      const slot = batch.add('GET', 'others7');
      await commit(batch);
      assert.equal(Number(batch.reply(slot)), i);
    }
  });

  it('an incoming QoS 2 message goes to queues of other servers once, however often it is begun', async () => {
    const clients = ['publisher', 'a', 'b', 'c', 'd'];
    const epochs = new Map<string, number>();
    for (const client of clients) epochs.set(client, await serve(store, client));
    const once: Once = { kind: 'incoming', clientId: 'publisher', epoch: epochs.get('publisher')!, packetId: 7 };
    const targets = clients.slice(1).map((client) => ({ kind: 'queue', queue: store.queues.ref(client), head: Buffer.of(1), record: Buffer.from('m') }) as const);
    const take = (count = targets.length): Promise<OnceResult> =>
      committed(store, (batch) => {
        const some = targets.slice(0, count);
        const slot = store.queues.pushOnce(batch, once, some);
        return () => store.queues.once(batch, some, slot);
      });
    // a node that died half-way: two of four queues have it, and the token is noted
    await link.command('HSET', link.keys.incoming('publisher'), '7', 'earlier token');
    for (const client of ['a', 'b']) {
      await push(store, client, 'm');
      await link.command('ZADD', link.keys.tokens(link.keys.queue(client)), 1, 'earlier token');
    }
    assert.equal((await take()).word, 'seen');
    for (const client of clients.slice(1)) assert.deepEqual(await queued(store, client), ['1 m'], client);
    assert.equal((await take()).word, 'seen');
    for (const client of clients.slice(1)) {
      assert.deepEqual(await queued(store, client), ['1 m'], client);
      assert.equal(await link.command('EXISTS', link.keys.tokens(link.keys.queue(client))), 0, 'tokens are forgotten');
    }
    // the identifier is free again, and means another message
    await committed(store, (batch) => {
      const slot = store.queues.forget(batch, store.queues.ref('publisher'), once.epoch, [7]);
      return () => store.queues.owned(batch, slot);
    });
    assert.deepEqual(await take(), { word: 'ok', seqs: [2, 2, 2, 2] });
  });

  it('after the death of a primary its replica is found, and what waited is carried out in order', async () => {
    await serve(store, 'failover');
    await push(store, 'failover', 'before');
    const owner = await cluster.ownerOf(hashSlotOf(link.keys.session('failover')));
    await cluster.client(owner).wait(1, 1000);
    await owner.kill();
    const numbers = Array.from({ length: 20 }, (_, i) => push(store, 'failover', `after ${i}`));
    await within(Promise.all(numbers), 30_000, 'commits at the new primary');
    const found = (await queued(store, 'failover')).map((entry) => entry.slice(entry.indexOf(' ') + 1));
    assert.deepEqual([...new Set(found)], ['before', ...Array.from({ length: 20 }, (_, i) => `after ${i}`)]);
    assert.equal(link.awayMs, 0);
    await owner.restart();
    await cluster.settled();
  });
});
