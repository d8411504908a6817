import assert from 'node:assert/strict';
import { Aedes } from 'aedes';
import { SystemClock } from '../../src/base/clock.ts';
import { Message, noBytes } from '../../src/base/message.ts';
import { encodeProperties } from '../../src/codec/properties.ts';
import { AedesHooks } from '../../src/engine/aedes-hooks.ts';
import { changedBy, toPacket } from '../../src/engine/aedes-packet.ts';

function hooksOf(broker: Aedes): AedesHooks {
  return new AedesHooks(broker, new SystemClock(), (error) => {
    throw error;
  });
}

function message(more: { topic?: string; properties?: Buffer; expiresAt?: number } = {}): Message {
  return new Message(more.topic ?? 'a', Buffer.from('text'), 1, false, more.properties ?? noBytes, more.expiresAt ?? 0, 0, '');
}

describe('Aedes\'s hooks at the engine', () => {
  const deciding = ['preConnect', 'authenticate', 'authorizePublish', 'authorizeSubscribe', 'authorizeForward'] as const;
  const telling = [
    ['onPublished', 'publish'],
    ['onConnack', 'connackSent'],
    ['onSubscribed', 'subscribe'],
    ['onUnsubscribed', 'unsubscribe'],
    ['onPing', 'ping'],
    ['onAcknowledged', 'ack'],
  ] as const;

  it('are absent as long as nobody asked for them', () => {
    const hooks = hooksOf(new Aedes());
    for (const name of deciding) assert.equal(hooks[name], null, name);
    for (const [name] of telling) assert.equal(hooks[name], null, name);
  });

  it('are there once the program has set them, and gone when it takes them back', () => {
    const broker = new Aedes();
    const hooks = hooksOf(broker);
    for (const name of deciding) {
      const before = broker[name];
      Object.assign(broker, { [name]: () => undefined });
      assert.notEqual(hooks[name], null, name);
      Object.assign(broker, { [name]: before });
      assert.equal(hooks[name], null, name);
    }
  });

  it('are there as long as somebody listens', () => {
    const broker = new Aedes();
    const hooks = hooksOf(broker);
    const listener = (): void => undefined;
    for (const [name, event] of telling) {
      broker.on(event as 'closed', listener);
      assert.notEqual(hooks[name], null, name);
      broker.off(event, listener);
      assert.equal(hooks[name], null, name);
    }
  });

  it('answer without a promise when the program does', () => {
    const original = message();
    const hooks = hooksOf(new Aedes({ authorizePublish: (_client, _packet, done) => done(null) }));
    assert.equal(hooks.authorizePublish?.(null, original), original);
  });

  it('wait for a program that answers later, and take its first answer only', async () => {
    const original = message();
    const hooks = hooksOf(
      new Aedes({
        authorizePublish: (_client, _packet, done) =>
          void setImmediate(() => {
            done(null);
            done(new Error('too late'));
          }),
      }),
    );
    const decision = hooks.authorizePublish?.(null, original);
    assert.ok(decision instanceof Promise);
    assert.equal(await decision, original);
  });

  it('refuse when the program throws', () => {
    const hooks = hooksOf(
      new Aedes({
        authorizePublish: () => {
          throw new Error('a fault of the program');
        },
      }),
    );
    assert.throws(() => hooks.authorizePublish?.(null, message()), /a fault of the program/);
  });
});

describe('a message that a hook saw as a packet', () => {
  const properties = encodeProperties<'publish'>({
    contentType: 'text/plain',
    userProperties: [['a', '1'], ['b', '2'], ['a', '3']],
  });

  it('is the same when nothing was changed, with its user properties in their order', () => {
    const original = message({ properties, expiresAt: 60_000 });
    const packet = toPacket(original, 'node', 1_000);
    assert.deepEqual(JSON.parse(JSON.stringify(packet.properties)), {
      messageExpiryInterval: 59,
      contentType: 'text/plain',
      userProperties: { a: ['1', '3'], b: '2' },
    });
    assert.equal(changedBy(packet, original, 1_000), original);
  });

  it('has the topic, payload and properties that were put there', () => {
    const original = message({ properties });
    const packet = toPacket(original, 'node', 0);
    packet.topic = 'b';
    packet.payload = 'new';
    packet.properties = { contentType: 'text/html', messageExpiryInterval: 10 };
    const changed = changedBy(packet, original, 5_000);
    assert.deepEqual([changed.topic, changed.payload.toString(), changed.qos, changed.expiresAt], ['b', 'new', 1, 15_000]);
    assert.deepEqual(changed.properties, encodeProperties<'publish'>({ contentType: 'text/html' }));
  });

  it('keeps its QoS, which the publisher is answered by', () => {
    const original = message();
    const packet = toPacket(original, 'node', 0);
    packet.qos = 0;
    assert.equal(changedBy(packet, original, 0).qos, 1);
  });

  it('cannot be given a topic with a wildcard', () => {
    const original = message();
    const packet = toPacket(original, 'node', 0);
    packet.topic = 'a/#';
    assert.throws(() => changedBy(packet, original, 0), { code: 'topic-name-invalid' });
  });
});
