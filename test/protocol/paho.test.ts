import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { connectPaho, type Paho, type PahoProperties } from '../support/paho.ts';
import { forEachStore, forEachVersion } from './conversation.ts';

const count = 200;
const numbers = Array.from({ length: count }, (_, i) => String(i));

forEachStore('Eclipse Paho', (place) => {
  forEachVersion((version) => {
    const keeping: { properties?: PahoProperties } = version === 5 ? { properties: { SessionExpiryInterval: 3600 } } : {};
    const at = (topic: string): string => `paho/${version}/${topic}`;
    const clean = (name: string): Promise<Paho> => connectPaho(place().port, { version, clientId: `${name}-${version}` });
    const lasting = (name: string, manualAck = false): Promise<Paho> =>
      connectPaho(place().port, { version, clientId: `${name}-${version}`, clean: false, manualAck }, keeping);

    it('exchanges messages at each QoS, in order', async () => {
      const subscriber = await clean('hears');
      assert.deepEqual(await subscriber.subscribe([[at('each/0'), 0], [at('each/1'), 1], [at('each/2'), 2]]), [0, 1, 2]);
      const publisher = await clean('says');
      // its node knows of the subscriptions once it has acknowledged something
      await publisher.publish(at('first'), '', 1);
      for (const qos of [0, 1, 2] as const) {
        await publisher.publishAll(at(`each/${qos}`), numbers, qos);
        const arrived = (await subscriber.received(count * (qos + 1))).slice(count * qos);
        assert.deepEqual(arrived.map(({ payload }) => payload), numbers);
        assert.ok(arrived.every((message) => message.qos === qos && !message.retain && !message.dup));
      }
      await subscriber.unsubscribe(at('each/0'), at('each/1'), at('each/2'));
      await publisher.publish(at('each/2'), 'for nobody', 2);
      await subscriber.end();
      await publisher.end();
      assert.equal(subscriber.messages.length, count * 3);
    });

    it('takes up its session, and gets all that came meanwhile', async () => {
      const before = await lasting('away');
      assert.equal(before.connack.sessionPresent, false);
      await before.subscribe([[at('away/#'), 2]]);
      await before.end();
      const publisher = await clean('away-says');
      for (const qos of [1, 2] as const) await publisher.publishAll(at(`away/${qos}`), numbers, qos);
      const after = await lasting('away');
      assert.equal(after.connack.sessionPresent, version !== 3);
      assert.deepEqual((await after.received(count * 2)).map(({ payload, qos }) => `${payload} ${qos}`), [1, 2].flatMap((qos) => numbers.map((text) => `${text} ${qos}`)));
      await after.end();
      await publisher.end();
    });

    it('that vanished before it acknowledged gets the same messages again, with DUP', async () => {
      const before = await lasting('again', true);
      await before.subscribe([[at('again'), 1]]);
      const publisher = await clean('again-says');
      for (const text of ['one', 'two', 'three']) await publisher.publish(at('again'), text, 1);
      const first = await before.received(3);
      before.ack(first[0]!);
      // its turn comes after the acknowledgement's
      await before.subscribe([[at('other'), 0]]);
      await before.kill();
      const after = await lasting('again');
      const again = await after.received(2);
      assert.deepEqual(
        again.map(({ payload, mid, dup }) => ({ payload, mid, dup })),
        first.slice(1).map(({ payload, mid }) => ({ payload, mid, dup: true })),
      );
      await after.end();
      await publisher.end();
    });

    it('has its will sent when it vanishes, retained too, and not when it leaves', async () => {
      const watcher = await clean('mourns');
      await watcher.subscribe([[at('will/#'), 2]]);
      for (const [name, isPolite] of [['leaves', true], ['vanishes', false]] as const) {
        const will = { topic: at(`will/${name}`), payload: name, qos: 2 as const, retain: true };
        const client = await connectPaho(place().port, { version, clientId: `${name}-${version}` }, { will });
        await (isPolite ? client.end() : client.kill());
      }
      const [will] = await watcher.received(1);
      assert.deepEqual({ payload: will?.payload, qos: will?.qos, retain: will?.retain }, { payload: 'vanishes', qos: 2, retain: false });
      const later = await clean('mourns-later');
      await later.subscribe([[at('will/+'), 2]]);
      assert.deepEqual((await later.received(1)).map(({ payload, retain }) => ({ payload, retain })), [{ payload: 'vanishes', retain: true }]);
      await watcher.end();
      await later.end();
      assert.equal(watcher.messages.length, 1);
    });

    it('gets retained messages when it subscribes, until they are removed', async () => {
      const publisher = await clean('retains');
      for (const qos of [0, 1, 2] as const) await publisher.publish(at(`kept/${qos}`), `at ${qos}`, qos, { retain: true });
      await publisher.publish(at('kept/gone'), 'here', 1, { retain: true });
      await publisher.publish(at('kept/gone'), '', 1, { retain: true });
      const subscriber = await clean('finds');
      await subscriber.subscribe([[at('kept/+'), 1]]);
      const kept = [...(await subscriber.received(3))].map(({ payload, qos, retain }) => `${payload} ${qos} ${retain}`);
      assert.deepEqual(kept.sort(), ['at 0 0 true', 'at 1 1 true', 'at 2 1 true']);
      await subscriber.end();
      await publisher.end();
    });

    it('shares a subscription: each message goes to one member', async () => {
      const members = await Promise.all(['a', 'b', 'c'].map((name) => clean(`member-${name}`)));
      for (const member of members) await member.subscribe([[`$share/pahos/${at('jobs/+')}`, 2]]);
      const publisher = await clean('employs');
      await publisher.publishAll(at('jobs/x'), numbers, 2);
      const done = (): string[] => members.flatMap((member) => member.messages.map(({ payload }) => payload));
      await eventually(() => done().length >= count, { what: 'an end of the jobs' });
      for (const client of [...members, publisher]) await client.end();
      assert.deepEqual(done().sort(), [...numbers].sort());
    });
  });
});

forEachStore('Eclipse Paho, MQTT 5.0', (place) => {
  const enter = (clientId: string, properties?: PahoProperties, more: object = {}): Promise<Paho> =>
    connectPaho(place().port, { version: 5, clientId, ...more }, properties === undefined ? {} : { properties });

  it('asks and is answered by response topic and correlation data; all properties arrive', async () => {
    const properties = {
      PayloadFormatIndicator: 1,
      ContentType: 'text/plain',
      ResponseTopic: 'p5/answers',
      CorrelationData: '00ff10',
      UserProperty: [['a', '1'], ['b', '2'], ['a', '3']],
    };
    const server = await enter('p5-server');
    await server.subscribe([['p5/questions', 1]], { SubscriptionIdentifier: 268_435_455 });
    const asker = await enter('p5-asker');
    await asker.subscribe([['p5/answers', 1]]);
    assert.equal(await asker.publish('p5/questions', 'how much?', 1, { properties: { ...properties, MessageExpiryInterval: 100 } }), 0);
    const [question] = await server.received(1);
    const { MessageExpiryInterval: left, ...arrived } = question!.properties;
    assert.deepEqual(arrived, { ...properties, SubscriptionIdentifier: [268_435_455] });
    assert.ok(Number(left) <= 100 && Number(left) >= 95);
    const { ResponseTopic, CorrelationData } = arrived;
    await server.publish(String(ResponseTopic), 'so much', 1, { properties: { CorrelationData } });
    const [answer] = await asker.received(1);
    assert.deepEqual(answer?.properties, { CorrelationData: '00ff10' });
    await server.end();
    await asker.end();
  });

  it('gets the identifier of each of its subscriptions that match', async () => {
    const client = await enter('p5-ids');
    await client.subscribe([['p5/ids/+', 1]], { SubscriptionIdentifier: 1 });
    await client.subscribe([['p5/ids/#', 2]], { SubscriptionIdentifier: 2 });
    await client.publish('p5/ids/x', 'both', 2);
    const [message] = await client.received(1);
    assert.deepEqual([...(message!.properties['SubscriptionIdentifier'] as number[])].sort(), [1, 2]);
    await client.end();
    assert.equal(client.messages.length, 1);
  });

  it('is never sent more than its receive maximum', async () => {
    const slow = await enter('p5-slow', { ReceiveMaximum: 3, SessionExpiryInterval: 60 }, { clean: false, manualAck: true });
    await slow.subscribe([['p5/slow', 1]]);
    const publisher = await enter('p5-quick');
    for (let i = 0; i < 12; i++) await publisher.publish('p5/slow', String(i), 1);
    for (let i = 0; i < 12; i++) {
      const come = await slow.received(Math.min(12, i + 3));
      assert.ok(come.length - i <= 3, `${come.length} sent, ${i} acknowledged`);
      assert.equal(come[i]?.payload, String(i));
      slow.ack(come[i]!);
    }
    await slow.end();
    await publisher.end();
  });

  it('sends by topic alias', async () => {
    const subscriber = await enter('p5-alias-hears');
    await subscriber.subscribe([['p5/alias', 1]]);
    const publisher = await enter('p5-alias-says');
    await publisher.publish('p5/alias', 'named', 1, { properties: { TopicAlias: 3 } });
    await publisher.publish('', 'alias', 1, { properties: { TopicAlias: 3 } });
    assert.deepEqual((await subscriber.received(2)).map(({ topic, payload }) => `${topic} ${payload}`), ['p5/alias named', 'p5/alias alias']);
    await subscriber.end();
    await publisher.end();
  });

  it('is told that nobody wants a message, that another took its session over, and what it may do', async () => {
    const first = await enter('p5-told');
    const { ReceiveMaximum, MaximumPacketSize, TopicAliasMaximum } = first.connack.properties;
    for (const limit of [ReceiveMaximum, MaximumPacketSize, TopicAliasMaximum]) assert.ok(Number(limit) > 0);
    assert.equal(await first.publish('p5/nobody', 'x', 1), 0x10);
    const second = await enter('p5-told');
    assert.equal(await first.disconnected(), 0x8e);
    await second.end();
  });

  it('has its will delayed, with its properties; a DISCONNECT with 0x04 asks for it', async () => {
    const watcher = await enter('p5-mourns');
    await watcher.subscribe([['p5/will', 1]]);
    const properties = { WillDelayInterval: 1, ContentType: 'text/plain', UserProperty: [['car', '7']] };
    const will = { topic: 'p5/will', payload: 'gone', qos: 1 as const, retain: false, properties };
    const session = { properties: { SessionExpiryInterval: 60 }, will };
    const client = await connectPaho(place().port, { version: 5, clientId: 'p5-dies', clean: false }, session);
    const leftAt = performance.now();
    await client.end(4);
    const [message] = await watcher.received(1);
    assert.ok(performance.now() - leftAt > 950);
    assert.deepEqual(message?.properties, { ContentType: 'text/plain', UserProperty: [['car', '7']] });
    await watcher.end();
  });
});
