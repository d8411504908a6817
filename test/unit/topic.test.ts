import assert from 'node:assert/strict';
import { covers, hasWildcard, isTopicFilter, isTopicName, matches, overlap, parseShared } from '../../src/base/topic.ts';
import { randomFrom } from '../support/codec.ts';

/** The rule of matching as the standard tells it, level by level. [MQTT 5, 4.7] */
function matchesByLevels(filter: string[], topic: string[]): boolean {
  const [want, ...wanted] = filter;
  const [have, ...had] = topic;
  if (want === '#') return true;
  if (want === undefined || have === undefined) return want === have;
  return (want === '+' || want === have) && matchesByLevels(wanted, had);
}

describe('topic', () => {
  it('a name is not empty and has no wildcard', () => {
    for (const name of ['a', '/', '//', 'a/b c/d', '$SYS', 'é']) assert.equal(isTopicName(name), true, name);
    for (const name of ['', '#', 'a/#', '+', 'a+', 'a/+/b']) assert.equal(isTopicName(name), false, name);
  });

  it('a filter has wildcards only as whole levels, and # only last', () => {
    for (const filter of ['a', '/', '#', '+', '+/+', '/+', '+/', 'a/#', '+/a/#', '/#', '$share/g/#']) {
      assert.equal(isTopicFilter(filter), true, filter);
    }
    for (const filter of ['', 'a#', 'a+', '+a', '#/a', 'a/#/b', '##', '++', 'a/b#', 'a/+b', '#/']) {
      assert.equal(isTopicFilter(filter), false, filter);
    }
  });

  it('a wildcard is noticed anywhere', () => {
    assert.equal(hasWildcard('a/+'), true);
    assert.equal(hasWildcard('#'), true);
    assert.equal(hasWildcard('a/b'), false);
  });

  it('a shared filter is taken apart', () => {
    assert.deepEqual(parseShared('$share/g/a/+/#'), { group: 'g', filter: 'a/+/#' });
    assert.deepEqual(parseShared('$share/g//'), { group: 'g', filter: '/' });
    for (const filter of ['$share', '$shared/g/a', 'a/$share/g/b', '$SHARE/g/a'])
      assert.equal(parseShared(filter), null, filter);
    for (const filter of ['$share/', '$share//a', '$share/g', '$share/g/', '$share/+/a', '$share/g#/a']) {
      assert.equal(parseShared(filter), 'invalid', filter);
    }
  });

  const cases: [filter: string, topic: string, matched: boolean][] = [
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['sport/#', 'sports', false],
    ['#', 'sport/tennis', true],
    ['#', '/', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['+/#', 'a', true],
    ['+/#', 'a/b', true],
    ['+/b/#', 'a', false],
    ['a/+/#', 'a', false],
    ['a', 'a', true],
    ['a', 'A', false],
    ['a', 'a/', false],
    ['a/', 'a', false],
    ['a/', 'a/', true],
    ['/a', 'a', false],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['$SYS/+', '$SYS/x', true],
    ['$SYS/#', '$SYS', true],
    ['a/+', 'a/$b', true],
  ];
  for (const [filter, topic, matched] of cases) {
    it(`${filter} ${matched ? 'matches' : 'does not match'} ${topic}`, () => {
      assert.equal(matches(filter, topic), matched);
    });
  }

  it('matching is that of the standard, level by level', () => {
    const random = randomFrom(5);
    const levels = (words: string[]) =>
      Array.from({ length: 1 + random(4) }, () => words[random(words.length)] as string);
    for (let round = 0; round < 20_000; round++) {
      const topic = levels(['', 'a', 'ab', 'b']);
      const filter = levels(['', 'a', 'ab', 'b', '+', '+']);
      if (random(3) === 0) filter.push('#');
      const text = `${filter.join('/')} ${topic.join('/')}`;
      if (topic.join('/') === '' || filter.join('/') === '') continue;
      assert.equal(matches(filter.join('/'), topic.join('/')), matchesByLevels(filter, topic), text);
    }
  });
});

describe('two filters', () => {
  const levels = ['a', '$b', '', '+', '#'];
  const words = (depth: number): string[][] => (depth === 0 ? [[]] : words(depth - 1).flatMap((word) => [word, ...levels.map((level) => [...word, level])]));
  const all = [...new Set(words(3).filter((word) => word.length > 0).map((word) => word.join('/')))];
  // the empty topic is none, but `+` and `/#` would both match it
  const topics = ['', ...all.filter(isTopicName)];
  const filters = all.filter(isTopicFilter);

  it('overlap when a topic matches both', () => {
    for (const one of filters) {
      for (const other of filters) {
        const both = topics.some((topic) => matches(one, topic) && matches(other, topic));
        assert.equal(overlap(one, other), both, `${one} ${other}`);
      }
    }
  });

  it('cover one another only when every topic of the inner one matches the outer one', () => {
    let covered = 0;
    for (const outer of filters) {
      for (const inner of filters) {
        if (!covers(outer, inner)) continue;
        covered++;
        const escaped = topics.find((topic) => matches(inner, topic) && !matches(outer, topic));
        assert.equal(escaped, undefined, `${outer} ${inner}`);
      }
    }
    assert.ok(covered > filters.length, 'each filter covers itself, and some cover others');
  });
});
