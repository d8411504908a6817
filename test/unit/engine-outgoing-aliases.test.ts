import assert from 'node:assert/strict';
import { OutgoingAliases } from '../../src/engine/outgoing-aliases.ts';

/** What a message on this topic carries: nothing, the alias it sets, or the alias that stands for it. */
function send(aliases: OutgoingAliases, topic: string): string {
  const alias = aliases.of(topic);
  if (alias < 0) aliases.set(topic, -alias);
  return alias === 0 ? 'topic' : alias < 0 ? `topic and ${-alias}` : `${alias}`;
}

describe('Outgoing aliases', () => {
  it('a topic gets one when it comes again, and goes by it from then on', () => {
    const aliases = new OutgoingAliases(2);
    assert.deepEqual(['a/b/c', 'a/b/c', 'a/b/c', 'd/e/f', 'a/b/c', 'd/e/f', 'd/e/f'].map((topic) => send(aliases, topic)), [
      'topic', 'topic and 1', '1', 'topic', '1', 'topic and 2', '2',
    ]);
  });

  it('one whose message was not sent is not set', () => {
    const aliases = new OutgoingAliases(2);
    assert.equal(aliases.of('a/b/c'), 0);
    assert.equal(aliases.of('a/b/c'), -1);
    assert.equal(aliases.of('a/b/c'), -1);
  });

  it('the one that was not used gives way; the topic that lost it starts anew', () => {
    const aliases = new OutgoingAliases(2);
    for (const topic of ['one/1', 'one/1', 'two/2', 'two/2', 'one/1']) send(aliases, topic);
    assert.equal(send(aliases, 'three'), 'topic');
    assert.equal(send(aliases, 'three'), 'topic and 2');
    assert.equal(send(aliases, 'one/1'), '1');
    assert.equal(send(aliases, 'two/2'), 'topic');
  });

  it('when all were used, the hand goes round once and takes one', () => {
    const aliases = new OutgoingAliases(3);
    const topics = ['t/1', 't/22', 't/333'].map((end) => `used/${end}`);
    for (const topic of [...topics, ...topics, ...topics]) send(aliases, topic);
    send(aliases, 'new/topic');
    assert.equal(send(aliases, 'new/topic'), 'topic and 1');
  });

  it('many topics in turn leave the aliases as they are, and are not remembered for ever', () => {
    const aliases = new OutgoingAliases(4);
    for (const topic of ['kept', 'kept', 'kept']) send(aliases, topic);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 100; i++) assert.equal(send(aliases, `round/${i}`), 'topic');
    }
    assert.equal(send(aliases, 'kept'), '1');
  });

  it('topics of a few characters, and those of more than 1,024, get none', () => {
    const aliases = new OutgoingAliases(4);
    for (const topic of ['a/b', 'x'.repeat(1025)]) {
      for (let i = 0; i < 3; i++) assert.equal(send(aliases, topic), 'topic');
    }
  });

  it('no number is over the maximum, whatever comes', () => {
    const aliases = new OutgoingAliases(3);
    const known = new Map<number, string>();
    for (let i = 0; i < 10_000; i++) {
      const topic = `topic/${Math.floor(((i * i) % 97) / (1 + (i % 13)))}`;
      const alias = aliases.of(topic);
      assert.ok(Math.abs(alias) <= 3);
      if (alias < 0) {
        aliases.set(topic, -alias);
        known.set(-alias, topic);
      }
      if (alias > 0) assert.equal(known.get(alias), topic);
    }
    assert.equal(known.size, 3);
  });
});
