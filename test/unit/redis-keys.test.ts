import assert from 'node:assert/strict';
import { decodePart, encodePart, Keys } from '../../src/redis/keys.ts';

/** What Redis Cluster hashes: the text between the first brace and the next closing one. */
function tagOf(key: string): string | undefined {
  return /\{(.+?)\}/.exec(key)?.[1];
}

describe('redis keys', () => {
  const awkward = ['car-1', '', '{', '}', '{}', '{a}{b}', 'a:subs', '%', '%7b', 'ü/\u0001\n', '{'.repeat(50), 'a}:q', ' '];

  it('a part comes back as it was', () => {
    for (const part of awkward) assert.equal(decodePart(encodePart(part)), part);
  });

  it('different parts stay different', () => {
    assert.equal(new Set(awkward.map(encodePart)).size, awkward.length);
  });

  it('no client id chooses its slot or meets the key of another one', () => {
    const keys = new Keys('sq:');
    const all = awkward.flatMap((client) => [
      keys.session(client),
      keys.subscriptions(client),
      keys.queue(client),
      keys.released(client),
      keys.incoming(client),
      keys.ended(client),
    ]);
    assert.equal(new Set(all).size, all.length);
    for (const client of awkward.filter((c) => c !== '')) {
      assert.equal(tagOf(keys.session(client)), encodePart(client));
      assert.equal(tagOf(keys.queue(client)), encodePart(client));
    }
  });

  it('the prefix stands before every key', () => {
    const keys = new Keys('fleet:');
    for (const key of [keys.session('a'), keys.members(), keys.routes(), keys.retained('due'), keys.due('wills'), keys.outbox('b', 3)]) {
      assert.ok(key.startsWith('fleet:'), key);
    }
  });
});
