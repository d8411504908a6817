import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { generate, type IPublishPacket } from 'mqtt-packet';
import { packet } from '../support/codec.ts';
import { eventually } from '../support/eventually.ts';
import { enter, forEachStore, lasting, leave, message, send, subscribe, take } from './conversation.ts';

const properties: IPublishPacket['properties'] = {
  payloadFormatIndicator: true,
  contentType: 'application/json; ä',
  responseTopic: 'answers/to/me',
  correlationData: Buffer.from([0, 1, 0xff, 0xfe]),
  userProperties: { car: ['7', '8', '7'], empty: '', 'ключ': '值' },
};

/** What mqtt-packet made of the properties, as plain values. */
const plain = (arrived: IPublishPacket['properties']): unknown => JSON.parse(JSON.stringify(arrived ?? {}));

forEachStore('The properties of a message', (node) => {
  for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(5)]] as const) {
    it(`arrive unchanged at ${name} at each QoS`, async () => {
      const subscriber = await enter(node(), 5, session);
      await subscribe(subscriber, `props/${name}`, 2);
      const publisher = await enter(node(), 5);
      for (const qos of [0, 1, 2] as const) {
        await send(publisher, message(`props/${name}`, '{}', qos, { properties }));
        assert.deepEqual(plain((await take(subscriber, { payload: '{}', qos })).properties), plain(properties));
        await send(publisher, message(`props/${name}`, 'none', qos));
        assert.deepEqual(plain((await take(subscriber, { payload: 'none', qos })).properties), {});
      }
    });
  }

  it('arrive unchanged out of the queue of a client that was away', async () => {
    const session = { ...lasting(5), clientId: 'props-away' };
    const subscriber = await enter(node(), 5, session);
    await subscribe(subscriber, 'props/away', 2);
    await leave(subscriber);
    const publisher = await enter(node(), 5);
    for (const qos of [1, 2] as const) await send(publisher, message('props/away', '{}', qos, { properties }));
    const again = await enter(node(), 5, session);
    for (const qos of [1, 2] as const) {
      const packet = (await again.expect({ cmd: 'publish', qos })) as IPublishPacket;
      assert.deepEqual(plain(packet.properties), plain(properties));
    }
  });

  it('arrive unchanged with a retained message', async () => {
    const publisher = await enter(node(), 5);
    await send(publisher, message('props/retained', '{}', 1, { retain: true, properties }));
    const subscriber = await enter(node(), 5);
    subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'props/retained', qos: 0 }] });
    const packets = [await subscriber.next(), await subscriber.next()];
    const publish = packets.find(({ cmd }) => cmd === 'publish') as IPublishPacket;
    assert.deepEqual(plain(publish.properties), plain(properties));
  });

  it('keep the order of user properties, the same name more than once too [MQTT-3.3.2-18]', async () => {
    const pair = (name: string, value: string): Buffer =>
      Buffer.concat([Buffer.of(0x26, 0, name.length), Buffer.from(name), Buffer.of(0, value.length), Buffer.from(value)]);
    const pairs = Buffer.concat([pair('b', '1'), pair('a', '2'), pair('b', '3'), pair('a', '2'), pair('', '')]);
    // mqtt-packet groups them by name, so this subscriber looks at the bytes
    const socket = connectTcp(node().port, '127.0.0.1');
    let received = Buffer.alloc(0);
    socket.on('data', (bytes) => (received = Buffer.concat([received, bytes])));
    const options = { protocolVersion: 5 };
    socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'props-raw', clean: true, keepalive: 0 }, options));
    socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'props/order', qos: 0 }] }, options));
    await eventually(() => received.includes(Buffer.from('900400010000', 'hex')), { what: 'SUBACK' });
    const publisher = await enter(node(), 5);
    publisher.send(packet(0x30, Buffer.concat([Buffer.from('\0\x0bprops/order'), Buffer.of(pairs.length), pairs, Buffer.from('x')])));
    await eventually(() => received.includes(Buffer.concat([Buffer.of(pairs.length), pairs, Buffer.from('x')])), { what: 'PUBLISH with its pairs' });
    socket.destroy();
  });

  it('do not reach clients of MQTT 3, whose messages have none', async () => {
    const old = await enter(node(), 4);
    const young = await enter(node(), 5);
    for (const client of [old, young]) await subscribe(client, 'props/mixed', 1);
    const publisher = await enter(node(), 5);
    await send(publisher, message('props/mixed', '{}', 1, { properties }));
    assert.equal((await take(old, { payload: '{}' })).properties, undefined);
    assert.deepEqual(plain((await take(young, { payload: '{}' })).properties), plain(properties));
    const oldPublisher = await enter(node(), 3);
    await send(oldPublisher, message('props/mixed', 'old', 1));
    assert.deepEqual(plain((await take(young, { payload: 'old' })).properties), {});
  });
});
