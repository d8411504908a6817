import assert from 'node:assert/strict';
import { isTopicFilter, matches } from '../../src/base/topic.ts';
import type { Store } from '../../src/store/store.ts';
import { committed, forEachStore } from './stores.ts';

async function put(store: Store, topics: readonly string[]): Promise<void> {
  await committed(store, (batch) => {
    for (const topic of topics) store.retained.put(batch, topic, Buffer.from(topic));
    return () => undefined;
  });
}

async function remove(store: Store, topic: string): Promise<void> {
  await committed(store, (batch) => {
    store.retained.put(batch, topic, null);
    return () => undefined;
  });
}

async function found(store: Store, filter: string): Promise<string[]> {
  const all: string[] = [];
  for await (const page of store.retained.match(filter)) {
    assert.ok(page.length <= 100, `a page of ${page.length}`);
    for (const record of page) all.push(record.toString());
  }
  return all.sort();
}

forEachStore('retained messages', (open) => {
  let store: Store;

  beforeEach(async () => {
    store = await open();
  });

  it('nothing is found where nothing is retained', async () => {
    for (const filter of ['a', '#', '+', 'a/+/c']) assert.deepEqual(await found(store, filter), []);
    assert.equal(await store.retained.count(), 0);
  });

  it('the last message of a topic is kept, byte for byte', async () => {
    const record = Buffer.from([0, 255, 13, 10, 128]);
    await put(store, ['a/b']);
    await committed(store, (batch) => {
      store.retained.put(batch, 'a/b', record);
      return () => undefined;
    });
    for (const filter of ['a/b', 'a/+', '#']) {
      const pages = [];
      for await (const page of store.retained.match(filter)) pages.push(...page);
      assert.deepEqual(pages, [record]);
    }
    assert.equal(await store.retained.count(), 1);
  });

  it('a removed topic is found no more, and removing twice is harmless', async () => {
    await put(store, ['a', 'a/b', 'a/b/c']);
    await remove(store, 'a/b');
    await remove(store, 'a/b');
    await remove(store, 'x/y');
    assert.deepEqual(await found(store, 'a/#'), ['a', 'a/b/c']);
    assert.deepEqual(await found(store, 'a/b'), []);
    assert.equal(await store.retained.count(), 2);
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
    assert.equal(await store.retained.count(), 6000);
    assert.deepEqual(await found(store, 'cars/+/speed'), cars.map((car) => car.replace('position', 'speed')).sort());
    assert.equal((await found(store, 'cars/#')).length, 6000);
    assert.equal((await found(store, '#')).length, 6000);
    assert.deepEqual(await found(store, 'cars/+/height'), []);
  });

  it('a topic of thousands of levels is found', async () => {
    const deep = 'a/'.repeat(20_000) + 'z';
    await put(store, [deep, 'b']);
    assert.deepEqual(await found(store, '#'), [deep, 'b']);
    assert.deepEqual(await found(store, 'a/+/#'), [deep]);
    assert.deepEqual(await found(store, '+/'.repeat(20_000) + '+'), [deep]);
  });
});
