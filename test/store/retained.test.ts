import assert from 'node:assert/strict';
import { hasWildcard, isTopicFilter, matches } from '../../src/base/topic.ts';
import type { Store } from '../../src/store/store.ts';
import { RedisLink } from '../../src/redis/connect.ts';
import { openRedisStore } from '../../src/store/redis/store.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { committed, forEachStore, limits } from './stores.ts';

type Outcome = 'ok' | 'full';

/** Retains texts under their topics; gives what came of each. */
async function put(store: Store, topics: readonly string[], text: string | null = null, expiresAt = 0): Promise<Outcome[]> {
  return committed(store, (batch) => {
    const slots = topics.map((topic) => store.retained.put(batch, topic, Buffer.from(text ?? topic), expiresAt));
    return () => slots.map((slot) => store.retained.outcome(batch, slot));
  });
}

async function remove(store: Store, topic: string): Promise<Outcome> {
  return committed(store, (batch) => {
    const slot = store.retained.put(batch, topic, null, 0);
    return () => store.retained.outcome(batch, slot);
  });
}

async function found(store: Store, filter: string): Promise<string[]> {
  if (!hasWildcard(filter)) return [(await store.retained.get(filter))?.toString() ?? []].flat();
  const all: string[] = [];
  const walk = store.retained.match(filter);
  for (let page = await walk.next(); page !== null; page = await walk.next()) {
    assert.ok(page.length <= 100, `a page of ${page.length}`);
    for (const record of page) all.push(record.toString());
  }
  assert.equal(await walk.next(), null);
  return all.sort();
}

forEachStore('retained messages', (open) => {
  let store: Store;

  beforeEach(async () => {
    store = await open();
  });

  it('nothing is found where nothing is retained', async () => {
    for (const filter of ['a', '#', '+', 'a/+/c']) assert.deepEqual(await found(store, filter), []);
    assert.deepEqual(await store.retained.measure(), { messages: 0, bytes: 0 });
  });

  it('the last message of a topic is kept, byte for byte', async () => {
    const record = Buffer.from([0, 255, 13, 10, 128]);
    await put(store, ['a/b']);
    await committed(store, (batch) => {
      store.retained.put(batch, 'a/b', record, 0);
      return () => undefined;
    });
    assert.deepEqual(await store.retained.get('a/b'), record);
    for (const filter of ['+/b', 'a/+', '#']) assert.deepEqual(await store.retained.match(filter).next(), [record]);
    assert.deepEqual(await store.retained.measure(), { messages: 1, bytes: 5 });
  });

  it('a removed topic is found no more, and removing twice is harmless', async () => {
    await put(store, ['a', 'a/b', 'a/b/c']);
    await remove(store, 'a/b');
    await remove(store, 'a/b');
    await remove(store, 'x/y');
    assert.deepEqual(await found(store, 'a/#'), ['a', 'a/b/c']);
    assert.deepEqual(await found(store, 'a/b'), []);
    assert.deepEqual(await store.retained.measure(), { messages: 2, bytes: 6 });
  });

  // every text here sorts around the slash: blank ! " # $ % & ' ( ) * + , - . come before it, digits and letters after
  const levels = ['', 'a', 'a-', 'a!', 'a0', 'b', 'ab', '$a', 'ü', '-', '%'];
  const topics = levels
    .flatMap((one) => [one, ...levels.flatMap((two) => [`${one}/${two}`, `${one}/${two}/a`, `${one}/${two}/b/c`])])
    .filter((topic) => topic.length > 0);

  it('every filter finds exactly what it matches', async () => {
    await put(store, topics);
    const names = ['+', 'a', 'a-', '', '$a', 'b', 'zz'];
    const filters = names.flatMap((one) => [one, ...names.flatMap((two) => [`${one}/${two}`, ...names.map((three) => `${one}/${two}/${three}`)])]);
    const all = ['#', ...filters, ...filters.map((filter) => `${filter}/#`), '+/+/+/+', 'a/b/b/+'].filter(isTopicFilter);
    const sorted = [...new Set(topics)].sort();
    for (const filter of all) {
      assert.deepEqual(await found(store, filter), sorted.filter((topic) => matches(filter, topic)), filter);
    }
  });

  it('thousands of topics come in pages, each once', async () => {
    const cars = Array.from({ length: 3000 }, (_, i) => `cars/${i}/position`);
    await put(store, [...cars, ...cars.map((car) => car.replace('position', 'speed'))]);
    assert.equal((await store.retained.measure()).messages, 6000);
    assert.deepEqual(await found(store, 'cars/+/speed'), cars.map((car) => car.replace('position', 'speed')).sort());
    assert.equal((await found(store, 'cars/#')).length, 6000);
    assert.equal((await found(store, '#')).length, 6000);
    assert.deepEqual(await found(store, 'cars/+/height'), []);
  });

  it('large messages come in small pages', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `large/${i}`);
    await put(store, names, 'x'.repeat(50_000));
    const walk = store.retained.match('large/+');
    let count = 0;
    for (let page = await walk.next(); page !== null; page = await walk.next()) {
      assert.ok(page.length <= 6, `${page.length} of 50 KB at once`);
      count += page.length;
    }
    assert.equal(count, 40);
  });

  it('what stays is found once, whatever is put and removed while a walk goes on', async () => {
    const stay = Array.from({ length: 500 }, (_, i) => `stay/${i}`);
    await put(store, stay);
    const walk = store.retained.match('stay/#');
    const all: string[] = [];
    let round = 0;
    for (let page = await walk.next(); page !== null; page = await walk.next()) {
      all.push(...page.map(String));
      await put(store, [`stay/come/${round}`, `stay/0/${round}`]);
      await remove(store, `stay/come/${round++}`);
    }
    assert.deepEqual(all.filter((topic) => /^stay\/\d+$/.test(topic)).sort(), [...stay].sort());
  });

  it('a topic of thousands of levels is found', async () => {
    const deep = 'a/'.repeat(20_000) + 'z';
    await put(store, [deep, 'b']);
    assert.deepEqual(await found(store, '#'), [deep, 'b']);
    assert.deepEqual(await found(store, `${'a/'.repeat(19_999)}+/z`), [deep]);
    assert.deepEqual(await found(store, 'a/+/#'), [deep]);
    assert.deepEqual(await found(store, '+/'.repeat(20_000) + '+'), [deep]);
  });

  it('the measure is right after each replacement and removal', async () => {
    await put(store, ['a', 'b'], '12345678');
    assert.deepEqual(await store.retained.measure(), { messages: 2, bytes: 16 });
    await put(store, ['a'], '123');
    await put(store, ['a'], '123');
    assert.deepEqual(await store.retained.measure(), { messages: 2, bytes: 11 });
    await put(store, ['b'], '1234567890', Date.now() + 60_000);
    assert.deepEqual(await store.retained.measure(), { messages: 2, bytes: 13 });
    await remove(store, 'a');
    await remove(store, 'a');
    await remove(store, 'never');
    assert.deepEqual(await store.retained.measure(), { messages: 1, bytes: 10 });
    await remove(store, 'b');
    assert.deepEqual(await store.retained.measure(), { messages: 0, bytes: 0 });
  });

  it('over the number of messages no new topic is retained, and those that are can be replaced and removed', async () => {
    store = await open({ ...limits, retained: { maxMessages: 3, maxBytes: 1000 } });
    assert.deepEqual(await put(store, ['a', 'b', 'c', 'd', 'e']), ['ok', 'ok', 'ok', 'full', 'full']);
    assert.deepEqual(await put(store, ['a', 'd', 'b'], 'new'), ['ok', 'full', 'ok']);
    assert.deepEqual(await found(store, '#'), ['c', 'new', 'new']);
    assert.deepEqual(await store.retained.measure(), { messages: 3, bytes: 7 });
    assert.equal(await remove(store, 'c'), 'ok');
    assert.deepEqual(await put(store, ['d', 'e'], 'in'), ['ok', 'full']);
    assert.deepEqual(await found(store, '+'), ['in', 'new', 'new']);
  });

  it('over the bytes no new topic is retained, and those that are can be replaced and removed', async () => {
    store = await open({ ...limits, retained: { maxMessages: 1000, maxBytes: 100 } });
    assert.deepEqual(await put(store, ['a', 'b', 'c'], 'x'.repeat(40)), ['ok', 'ok', 'full']);
    assert.deepEqual(await put(store, ['c'], 'x'.repeat(20)), ['ok']);
    assert.deepEqual(await put(store, ['d'], 'x'), ['full']);
    assert.deepEqual(await put(store, ['a'], 'x'.repeat(60)), ['ok']);
    assert.deepEqual(await store.retained.measure(), { messages: 3, bytes: 120 });
    assert.deepEqual(await put(store, ['a', 'd'], 'x'), ['ok', 'ok']);
    assert.deepEqual(await store.retained.measure(), { messages: 4, bytes: 62 });
  });

  it('what expired is removed when asked for, and makes room', async () => {
    store = await open({ ...limits, retained: { maxMessages: 7, maxBytes: 1000 } });
    await put(store, ['a/1', 'a/2', 'a/3', 'b/4', 'a/5'], 'short', Date.now() - 1);
    await put(store, ['a/6'], 'long', Date.now() + 60_000);
    await put(store, ['a/7'], 'for ever');
    assert.deepEqual(await put(store, ['a/8']), ['full']);
    assert.equal(await store.retained.expire(2), 2);
    assert.equal((await store.retained.measure()).messages, 5);
    assert.equal(await store.retained.expire(100), 3);
    assert.equal(await store.retained.expire(100), 0);
    assert.deepEqual(await found(store, '#'), ['for ever', 'long']);
    assert.deepEqual(await found(store, '+/4'), []);
    assert.deepEqual(await found(store, 'a/+'), ['for ever', 'long']);
    assert.deepEqual(await store.retained.measure(), { messages: 2, bytes: 12 });
    assert.deepEqual(await put(store, ['a/8']), ['ok']);
  });

  it('a message that replaces an expiring one has its own time', async () => {
    await put(store, ['a', 'b', 'c'], 'short', Date.now() - 1);
    await put(store, ['a'], 'for ever');
    await put(store, ['b'], 'long', Date.now() + 60_000);
    await remove(store, 'c');
    await put(store, ['c'], 'again');
    assert.equal(await store.retained.expire(100), 0);
    assert.deepEqual(await found(store, '+'), ['again', 'for ever', 'long']);
  });
});

describe('the walk through retained messages in Redis', () => {
  let server: RedisServer;
  let link: RedisLink;
  let store: Store;
  const branches = 5000;

  before(async () => {
    server = await startRedis();
    link = await RedisLink.open({ url: server.url, prefix: 'walk:', connectTimeoutMs: 5_000, commandTimeoutMs: 5_000 });
    store = openRedisStore(link, { ...limits, retained: { maxMessages: 1e6, maxBytes: 1e9 } });
    for (let i = 0; i < branches; i += 1000) {
      await put(store, Array.from({ length: 1000 }, (_, n) => [`a/b/${i + n}/d`, `a/b/${i + n}/e/f`]).flat(), 'x');
    }
    await put(store, ['a/b/77/c', 'a/b/4000/c', 'a/b/9/e/c', 'x/b/1/c', 'a/9/b/c'], 'hit');
  });

  after(async () => {
    await link.close();
    await server.stop();
  });

  /** What a filter finds, and what Redis did for it: calls of the script, and commands inside. */
  async function cost(filter: string): Promise<{ matches: number; calls: number; looks: number }> {
    const admin = server.client();
    await admin.config('RESETSTAT');
    const matches = (await found(store, filter)).length;
    const stats = await admin.info('commandstats');
    const callsOf = (name: string): number => Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
    return { matches, calls: callsOf('evalsha') + callsOf('eval'), looks: callsOf('zrange') };
  }

  it('goes straight to what matches, however many branches there are', async () => {
    await found(store, '+/warm');
    for (const [filter, matches] of [
      ['a/b/+/c', 2],
      ['a/+/+/c', 3],
      ['+/b/+/c', 3],
      ['+/+/+/c', 4],
      ['+/b/1/c', 1],
      ['a/b/+', 0],
      ['a/+', 0],
      ['a/b/77/+', 2],
      ['a/b/77/#', 3],
      ['a/b/none/#', 0],
      ['a/9/+/#', 1],
      ['a/+/+/+/c', 1],
    ] as const) {
      const { looks, calls, ...rest } = await cost(filter);
      assert.deepEqual({ filter, ...rest }, { filter, matches });
      assert.equal(calls, 1, filter);
      assert.ok(looks <= 8, `${filter}: ${looks} looks into the index for ${matches} matches`);
    }
  });

  it('looks at a bounded number of places in each step, where it has to search and where it finds everything', async () => {
    const inVain = await cost('a/b/+/none/+');
    assert.equal(inVain.matches, 0);
    assert.ok(inVain.calls > branches / 200 && inVain.looks / inVain.calls <= 200, JSON.stringify(inVain));
    const broad = await cost('a/b/#');
    assert.equal(broad.matches, 2 * branches + 3);
    assert.ok(broad.calls >= broad.matches / 100 && broad.looks / broad.calls <= 20, JSON.stringify(broad));
  });
});
