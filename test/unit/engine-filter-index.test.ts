import assert from 'node:assert/strict';
import { matches } from '../../src/base/topic.ts';
import { FilterIndex } from '../../src/engine/filter-index.ts';

interface Wish {
  who: string;
}

function indexOf(...filters: string[]): FilterIndex<string, Wish> {
  const index = new FilterIndex<string, Wish>(({ who }) => who);
  for (const filter of filters) index.set(filter, { who: filter });
  return index;
}

function found(index: FilterIndex<string, Wish>, topic: string): string[] {
  return index.match(topic).map(({ who }) => who).sort();
}

describe('the index of filters', () => {
  it('finds the filters that match a topic, and no other', () => {
    const names = ['', 'a', 'b', 'c', '$x', 'a-name-of-many-letters'];
    const filters = new Set<string>();
    for (const one of [...names, '+', '#']) {
      filters.add(one);
      if (one === '#') continue;
      for (const two of [...names, '+', '#']) {
        filters.add(`${one}/${two}`);
        if (two === '#') continue;
        for (const three of ['a', '', '+', '#']) filters.add(`${one}/${two}/${three}`);
      }
    }
    filters.delete('');
    const index = indexOf(...filters);
    assert.equal(index.size, filters.size);
    const topics = names.flatMap((one) => [one, ...names.flatMap((two) => [`${one}/${two}`, `${one}/${two}/a`, `${one}/${two}/z`])]);
    for (const topic of topics.filter((one) => one !== '')) {
      assert.deepEqual(found(index, topic), [...filters].filter((filter) => matches(filter, topic)).sort(), topic);
    }
  });

  it('keeps one value for each key of a filter, the last one', () => {
    for (const filter of ['a/b', 'a/+']) {
      const index = new FilterIndex<string, Wish & { qos: number }>(({ who }) => who);
      for (const qos of [0, 1]) for (const who of ['x', 'y', 'z']) index.set(filter, { who, qos });
      assert.equal(index.size, 3);
      assert.deepEqual(index.match('a/b'), ['x', 'y', 'z'].map((who) => ({ who, qos: 1 })));
      assert.deepEqual(index.get(filter, 'y'), { who: 'y', qos: 1 });
      assert.equal(index.get(filter, 'w'), undefined);
    }
  });

  it('is empty again when everything was removed, in whatever order', () => {
    const filters = ['a/b', 'a/+', 'a/+/c', 'a/#', '+/+/c', '#', 'a/+/d', 'b/+/d', 'b/+/e'];
    for (let turn = 0; turn < filters.length; turn++) {
      const index = new FilterIndex<string, Wish>(({ who }) => who);
      for (const filter of filters) for (const who of ['x', 'y', 'z']) index.set(filter, { who });
      let left = filters.length * 3;
      for (const filter of [...filters.slice(turn), ...filters.slice(0, turn)]) {
        for (const who of ['y', 'x', 'z']) {
          assert.equal(index.delete(filter, who), true);
          assert.equal(index.delete(filter, who), false);
          assert.equal(index.get(filter, who), undefined);
          left -= 1;
          assert.equal(index.size, left);
          assert.equal([...index.entries()].length, left);
        }
      }
      assert.deepEqual(index.match('a/b/c'), []);
    }
  });

  it('does not remove what it does not have', () => {
    const index = indexOf('a/b', 'a/+/c');
    for (const filter of ['a', 'a/+', 'a/+/c/d', 'x/#', 'a/c']) assert.equal(index.delete(filter, 'a/b'), false);
    assert.deepEqual([...index.entries()].map(([filter]) => filter), ['a/b', 'a/+/c']);
  });

  it('takes no longer for a filter that very many want', () => {
    const index = new FilterIndex<string, Wish>(({ who }) => who);
    // with a search through the values of the filter these are 5,000,000,000 comparisons each
    for (let i = 0; i < 100_000; i++) index.set('fleet/+', { who: String(i) });
    assert.equal(index.match('fleet/all').length, 100_000);
    for (let i = 99_999; i >= 0; i--) assert.equal(index.delete('fleet/+', String(i)), true);
    assert.equal(index.size, 0);
  });
});
