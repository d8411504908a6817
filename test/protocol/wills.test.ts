import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { IConnectPacket } from 'mqtt-packet';
import { connectClient } from '../support/client.ts';
import { packet } from '../support/codec.ts';
import { eventually } from '../support/eventually.ts';
import { openPackets, type PacketClient, type ProtocolVersion } from '../support/packets.ts';
import { enter, forEachStore, forEachVersion, lasting, leave, message, onBothStores, send, subscribe, take, type Place } from './conversation.ts';

type Will = NonNullable<IConnectPacket['will']>;

const will = (topic: string, more: Partial<Will> = {}): { will: Will } => ({
  will: { topic, payload: Buffer.from('gone'), qos: 1, retain: false, ...more },
});

async function watch(node: Place, version: ProtocolVersion, topic: string): Promise<PacketClient> {
  const watcher = await enter(node, version);
  await subscribe(watcher, topic, 2);
  return watcher;
}

/** Nothing has come and, since a message sent now is the next one, nothing is on its way before it. */
async function expectNone(node: Place, watcher: PacketClient, topic: string): Promise<void> {
  const publisher = await enter(node, watcher.version);
  await send(publisher, message(topic, 'marker', 1));
  await take(watcher, { payload: 'marker' });
  publisher.destroy();
}

forEachStore('A will', (node) => {
  forEachVersion((version) => {
    const at = (name: string): string => `wills/${version}/${name}`;

    for (const qos of [0, 1, 2] as const) {
      it(`of QoS ${qos} is sent when the connection breaks [MQTT-3.1.2-8]`, async () => {
        const watcher = await watch(node(), version, at('broken'));
        for (const session of [{}, lasting(version)]) {
          const client = await enter(node(), version, { ...session, ...will(at('broken'), { qos }) });
          client.destroy();
          await take(watcher, { payload: 'gone', qos, retain: false });
        }
        await watcher.expectQuiet();
      });
    }

    it('is not sent after DISCONNECT [MQTT-3.1.2-10]', async () => {
      const watcher = await watch(node(), version, at('left'));
      for (const session of [{}, lasting(version)]) await leave(await enter(node(), version, { ...session, ...will(at('left')) }));
      await expectNone(node(), watcher, at('left'));
    });

    it('is sent when the server closes the connection because of a bad packet', async () => {
      const watcher = await watch(node(), version, at('bad'));
      const client = await enter(node(), version, will(at('bad')));
      client.send(Buffer.from('0000', 'hex'));
      await take(watcher, { payload: 'gone' });
    });

    it('is sent when another connection takes the session over, and the new will stands', async () => {
      const watcher = await watch(node(), version, at('taken/+'));
      const clientId = `will-taken-${version}`;
      await enter(node(), version, { ...lasting(version), clientId, ...will(at('taken/1')) });
      const second = await enter(node(), version, { ...lasting(version), clientId, ...will(at('taken/2')) });
      await take(watcher, { topic: at('taken/1') });
      await expectNone(node(), watcher, at('taken/marker'));
      second.destroy();
      await take(watcher, { topic: at('taken/2') });
    });

    it('of an earlier connection does not stand for a later one', async () => {
      const watcher = await watch(node(), version, at('earlier'));
      const clientId = `will-earlier-${version}`;
      await leave(await enter(node(), version, { ...lasting(version), clientId, ...will(at('earlier')) }));
      (await enter(node(), version, { ...lasting(version), clientId })).destroy();
      await expectNone(node(), watcher, at('earlier'));
    });

    it('is retained when it says so [MQTT-3.1.2-17]', async () => {
      const watcher = await watch(node(), version, at('kept'));
      (await enter(node(), version, will(at('kept'), { retain: true }))).destroy();
      await take(watcher, { payload: 'gone', retain: false });
      await eventually(
        async () => {
          const later = await enter(node(), version);
          later.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: at('kept'), qos: 0 }] });
          const packets = [await later.next(), await later.next(1_000)];
          return packets.some((packet) => packet.cmd === 'publish' && packet.retain && packet.payload.toString() === 'gone');
        },
        { what: 'the retained will' },
      );
    });

    it('is not retained when it does not say so [MQTT 3.1.1, MQTT-3.1.2-16], [MQTT-3.1.2-14]', async () => {
      const watcher = await watch(node(), version, at('not-kept'));
      const publisher = await enter(node(), version);
      await send(publisher, message(at('not-kept'), 'kept before', 1, { retain: true }));
      await take(watcher, { payload: 'kept before' });
      (await enter(node(), version, will(at('not-kept')))).destroy();
      await take(watcher, { payload: 'gone', retain: false });
      const later = await enter(node(), version);
      later.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: at('not-kept'), qos: 0 }] });
      const packets = [await later.next(), await later.next()];
      assert.ok(packets.some((packet) => packet.cmd === 'publish' && packet.payload.toString() === 'kept before'));
      await later.expectQuiet();
    });

    it('is queued for a lasting subscriber that is away', async () => {
      const clientId = `will-reader-${version}`;
      const reader = await enter(node(), version, { ...lasting(version), clientId });
      await subscribe(reader, at('read'), 1);
      await leave(reader);
      const watcher = await watch(node(), version, at('read'));
      (await enter(node(), version, will(at('read')))).destroy();
      await take(watcher, { payload: 'gone' });
      await take(await enter(node(), version, { ...lasting(version), clientId }), { payload: 'gone', dup: false });
    });

    for (const qos of [0, 1, 2] as const) {
      it(`is sent to one member of a shared subscription, at QoS ${qos}`, async () => {
        const topic = at(`shared/${qos}`);
        const options = { protocolVersion: version, ...(version === 3 ? { protocolId: 'MQIsdp' as const } : {}) };
        const members = await Promise.all([0, 1, 2].map(() => connectClient(node().url, options)));
        for (const member of members) await member.subscribe(`$share/heirs/${topic}`, qos);
        const watcher = await watch(node(), version, topic);
        const texts = ['one', 'two', 'three', 'four'];
        for (const text of texts) {
          (await enter(node(), version, will(topic, { payload: Buffer.from(text), qos: 2 }))).destroy();
          await take(watcher, { payload: text });
        }
        const got = (): string[] => members.flatMap((member) => member.messages.map((m) => `${m.text} ${m.qos}`)).sort();
        await eventually(() => got().length >= texts.length, { what: 'all wills' });
        assert.deepEqual(got(), texts.map((text) => `${text} ${qos}`).sort());
        for (const member of members) await member.end();
      });
    }

    it('to a topic with a wildcard is refused', async () => {
      const client = await openPackets(node().port, version);
      const protocolId = version === 3 ? 'MQIsdp' : 'MQTT';
      client.send({ cmd: 'connect', protocolId, protocolVersion: version, clientId: 'x', clean: true, keepalive: 0, ...will('a/+') });
      if (version === 5) await client.expect({ cmd: 'connack', reasonCode: 0x90 });
      await client.expectClosed();
    });
  });

  it('is sent once for each of 200 clients that go at once', async () => {
    const watcher = await watch(node(), 5, 'wills/crowd/+');
    const names = Array.from({ length: 200 }, (_, i) => `wills/crowd/${i}`);
    const clients = await Promise.all(names.map((topic) => enter(node(), 5, will(topic, { retain: true }))));
    for (const client of clients) client.destroy();
    const topics = new Set<string>();
    while (topics.size < names.length) topics.add((await take(watcher, {})).topic);
    await expectNone(node(), watcher, 'wills/crowd/marker');
  });

  it('is sent after DISCONNECT with 0x04, and not after 0x00', async () => {
    const watcher = await watch(node(), 5, 'wills/asked');
    await leave(await enter(node(), 5, will('wills/asked', { payload: Buffer.from('asked for') })), { reasonCode: 4 });
    await take(watcher, { payload: 'asked for' });
    await leave(await enter(node(), 5, will('wills/asked')), { reasonCode: 0 });
    await expectNone(node(), watcher, 'wills/asked');
  });
});

onBothStores('A will with a delay', (test) => {
  test('waits that long, and is sent once [MQTT-3.1.3-9]', async (node) => {
    const watcher = await watch(node, 5, 'wills/delayed');
    const client = await enter(node, 5, { ...lasting(5), ...will('wills/delayed', { properties: { willDelayInterval: 1 } }) });
    const brokenAt = performance.now();
    client.destroy();
    await take(watcher, { payload: 'gone' });
    assert.ok(performance.now() - brokenAt > 900);
    await expectNone(node, watcher, 'wills/delayed');
  });

  test('is not sent when the client is back in time', async (node) => {
    const watcher = await watch(node, 5, 'wills/back');
    const session = { ...lasting(5), clientId: 'will-back' };
    const client = await enter(node, 5, { ...session, ...will('wills/back', { properties: { willDelayInterval: 2 } }) });
    client.destroy();
    await enter(node, 5, session);
    // a will of the same delay that stands tells when the first one would have been due
    const other = await enter(node, 5, { ...lasting(5), ...will('wills/back', { payload: Buffer.from('other'), properties: { willDelayInterval: 2 } }) });
    other.destroy();
    await take(watcher, { payload: 'other' });
    await expectNone(node, watcher, 'wills/back');
  });

  test('is sent at the latest when the session ends', async (node) => {
    const watcher = await watch(node, 5, 'wills/ends');
    const properties = { willDelayInterval: 3600 };
    (await enter(node, 5, { ...lasting(5, 1), ...will('wills/ends', { properties }) })).destroy();
    await take(watcher, { payload: 'gone' });
    // expiry 0: at once
    (await enter(node, 5, will('wills/ends', { properties }))).destroy();
    await take(watcher, { payload: 'gone' });
    // a clean start ends it too
    const clientId = 'will-cleaned';
    (await enter(node, 5, { ...lasting(5), clientId, ...will('wills/ends', { properties }) })).destroy();
    await enter(node, 5, { clientId, clean: true });
    await take(watcher, { payload: 'gone' });
    await expectNone(node, watcher, 'wills/ends');
  });

  test('is not sent when another connection takes the session over and it goes on; the delay of the new will counts', async (place) => {
    const watcher = await watch(place, 5, 'wills/goes-on');
    const session = { ...lasting(5), clientId: 'will-goes-on' };
    const first = await enter(place, 5, { ...session, ...will('wills/goes-on', { payload: Buffer.from('old'), properties: { willDelayInterval: 1 } }) });
    const second = await enter(place, 5, { ...session, ...will('wills/goes-on', { properties: { willDelayInterval: 2 } }) });
    await first.expect({ cmd: 'disconnect', reasonCode: 0x8e });
    await first.expectClosed();
    const brokenAt = performance.now();
    second.destroy();
    await take(watcher, { payload: 'gone' });
    assert.ok(performance.now() - brokenAt > 1_900);
    await expectNone(place, watcher, 'wills/goes-on');
  });

  test('is sent at once when a clean start takes the session over and ends it [MQTT-3.1.4-3]', async (place) => {
    const watcher = await watch(place, 5, 'wills/cleaned');
    const clientId = 'will-cleaned-away';
    const first = await enter(place, 5, { ...lasting(5), clientId, ...will('wills/cleaned', { properties: { willDelayInterval: 3600 } }) });
    await subscribe(first, 'wills/cleaned/own', 1);
    const second = await enter(place, 5, { clientId, clean: true });
    await first.expect({ cmd: 'disconnect', reasonCode: 0x8e });
    await take(watcher, { payload: 'gone' });
    // nothing of the ended session is left to the new one
    await send(watcher, message('wills/cleaned/own', 'for nobody', 1));
    await second.expectQuiet();
    await expectNone(place, watcher, 'wills/cleaned');
  });

  test('is sent after a DISCONNECT that asks for it, when the delay is over, unless the client is back before', async (place) => {
    const watcher = await watch(place, 5, 'wills/asked-late');
    const properties = { willDelayInterval: 1 };
    const session = { ...lasting(5), clientId: 'will-asked-late' };
    await leave(await enter(place, 5, { ...session, ...will('wills/asked-late', { payload: Buffer.from('back before'), properties }) }), { reasonCode: 4 });
    await enter(place, 5, session);
    await leave(await enter(place, 5, { ...lasting(5), ...will('wills/asked-late', { properties }) }), { reasonCode: 4 });
    const leftAt = performance.now();
    await take(watcher, { payload: 'gone' });
    assert.ok(performance.now() - leftAt > 900);
    await expectNone(place, watcher, 'wills/asked-late');
  });

  test('carries its properties, and its expiry counts from its publication', async (node) => {
    const watcher = await watch(node, 5, 'wills/properties');
    const properties = { willDelayInterval: 1, messageExpiryInterval: 50, contentType: 'text/plain', userProperties: { car: '7' }, payloadFormatIndicator: true };
    (await enter(node, 5, { ...lasting(5), ...will('wills/properties', { properties }) })).destroy();
    const packet = await take(watcher, { payload: 'gone' });
    assert.deepEqual(
      JSON.parse(JSON.stringify(packet.properties)),
      { messageExpiryInterval: 50, contentType: 'text/plain', userProperties: { car: '7' }, payloadFormatIndicator: true },
    );
  });

  test('keeps the order of its user properties [MQTT-3.1.3-10]', async (node) => {
    const pair = (name: string, value: string): Buffer => Buffer.from(`\x26\0\x01${name}\0\x01${value}`);
    const pairs = Buffer.concat([pair('b', '1'), pair('a', '2'), pair('b', '3')]);
    // mqtt-packet groups them by name, so these clients speak in bytes
    const watcher = connectTcp(node.port, '127.0.0.1');
    let received = Buffer.alloc(0);
    watcher.on('data', (bytes) => (received = Buffer.concat([received, bytes])));
    watcher.write(packet(0x10, Buffer.from('\0\x04MQTT\x05\x02\0\0\0\0\x05watch')));
    watcher.write(packet(0x82, Buffer.from('\0\x01\0\0\x01w\0')));
    await eventually(() => received.includes(Buffer.from('900400010000', 'hex')), { what: 'SUBACK' });
    const leaver = connectTcp(node.port, '127.0.0.1');
    const head = Buffer.from('\0\x04MQTT\x05\x06\0\0\0\0\x05leave');
    leaver.write(packet(0x10, Buffer.concat([head, Buffer.of(pairs.length), pairs, Buffer.from('\0\x01w\0\x04gone')])));
    await once(leaver, 'data');
    leaver.destroy();
    await eventually(() => received.includes(Buffer.concat([Buffer.of(pairs.length), pairs, Buffer.from('gone')])), { what: 'will with its pairs' });
    watcher.destroy();
  });
});
