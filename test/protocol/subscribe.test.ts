import assert from 'node:assert/strict';
import type { ISubackPacket, IUnsubackPacket } from 'mqtt-packet';
import { enter, forEachStore, forEachVersion, lasting, leave, message, send, subscribe, take } from './conversation.ts';

forEachStore('SUBSCRIBE and UNSUBSCRIBE', (node) => {
  forEachVersion((version) => {
    const at = (topic: string): string => `subscribe/${version}/${topic}`;
    const wanted = (topic: string, qos: 0 | 1 | 2): { topic: string; qos: 0 | 1 | 2 } => ({ topic: at(topic), qos });

    it('answers each filter with its code, in their order [MQTT-3.9.3-1]', async () => {
      const client = await enter(node(), version);
      client.send({ cmd: 'subscribe', messageId: 77, subscriptions: [wanted('a', 2), wanted('b', 0), wanted('c', 1)] });
      const { granted } = (await client.expect({ cmd: 'suback', messageId: 77 })) as ISubackPacket;
      assert.deepEqual(granted, [2, 0, 1]);
    });

    it('refuses one filter and carries out the others', async () => {
      const client = await enter(node(), version);
      const tooDeep = 'x/'.repeat(128) + 'x';
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: tooDeep, qos: 0 }, wanted('deep', 0)] });
      const { granted } = (await client.expect({ cmd: 'suback' })) as ISubackPacket;
      assert.deepEqual(granted, version === 5 ? [0x8f, 0] : [0x80, 0]);
      client.send(message(at('deep'), 'here', 0));
      await client.expect({ cmd: 'publish', payload: 'here' });
    });

    it('refuses filters over the limit of a session, and takes them again when others are gone', async () => {
      const client = await enter(node(), version);
      const filters = Array.from({ length: 1001 }, (_, i) => wanted(`many/${i}`, 0));
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters });
      const { granted } = (await client.expect({ cmd: 'suback' })) as ISubackPacket;
      assert.deepEqual(granted.slice(998), [0, 0, version === 5 ? 0x97 : 0x80]);
      client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [at('many/3')] });
      await client.expect({ cmd: 'unsuback', messageId: 2 });
      assert.equal(await subscribe(client, at('many/1000'), 1), 1);
    });

    for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(version)]] as const) {
      it(`again replaces the QoS of a subscription, and does not double it [MQTT-3.8.4-3] (${name})`, async () => {
        const client = await enter(node(), version, session);
        const publisher = await enter(node(), version);
        for (const qos of [0, 1, 2, 1, 0] as const) {
          await subscribe(client, at('again/+'), qos);
          await send(publisher, message(at('again/x'), `${qos}`, 2));
          await take(client, { payload: `${qos}`, qos });
          await client.expectQuiet();
        }
      });

      it(`stops after UNSUBSCRIBE, for exactly that filter [MQTT-3.10.4-1] (${name})`, async () => {
        const client = await enter(node(), version, session);
        const publisher = await enter(node(), version);
        for (const filter of ['stop/#', 'stop/+', 'stop/x']) await subscribe(client, at(filter), 1);
        for (const [filter, copies] of [['stop/#', 1], ['stop/x', 1], ['stop/+', 0]] as const) {
          client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [at(filter)] });
          await client.expect({ cmd: 'unsuback', messageId: 2 });
          await send(publisher, message(at('stop/x'), filter, 1));
          if (copies > 0) await take(client, { payload: filter });
          await client.expectQuiet();
        }
      });
    }

    it('again loses nothing of what flows meanwhile [MQTT 3.1.1, MQTT-3.8.4-3], [MQTT-3.8.4-4]', async () => {
      for (const session of [{}, lasting(version)]) {
        const topic = at(`flow/${session.clean}`);
        const client = await enter(node(), version, session);
        await subscribe(client, topic, 1);
        const publisher = await enter(node(), version);
        const numbers = Array.from({ length: 100 }, (_, i) => i + 1);
        for (const messageId of numbers) {
          publisher.send(message(topic, String(messageId), 1, { messageId }));
          client.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: messageId % 2 === 0 ? 1 : 2 }] });
        }
        const arrived: number[] = [];
        for (let sent = 2 * numbers.length; sent > 0; sent--) {
          const packet = await client.next();
          if (packet.cmd !== 'publish') continue;
          arrived.push(Number(packet.payload));
          client.send({ cmd: 'puback', messageId: packet.messageId! });
        }
        assert.deepEqual(arrived, numbers);
      }
    });

    it('UNSUBSCRIBE of several filters ends each of them, with one answer [MQTT-3.10.4-6]', async () => {
      const client = await enter(node(), version);
      for (const name of ['a', 'b', 'c']) await subscribe(client, at(`several/${name}`), 0);
      client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: [at('several/a'), at('several/c')] });
      await client.expect({ cmd: 'unsuback', messageId: 5 });
      for (const name of ['a', 'b', 'c']) client.send(message(at(`several/${name}`), name, 0));
      await client.expect({ cmd: 'publish', payload: 'b' });
      await client.expectQuiet();
    });

    it('UNSUBSCRIBE is answered for filters that were never subscribed [MQTT-3.10.4-5]', async () => {
      const client = await enter(node(), version);
      await subscribe(client, at('known'), 0);
      client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [at('unknown'), at('known')] });
      const { granted } = (await client.expect({ cmd: 'unsuback', messageId: 9 })) as IUnsubackPacket;
      if (version === 5) assert.deepEqual(granted, [0x11, 0]);
    });

    it('keeps what is on its way when the subscription ends [MQTT-3.10.4-3]', async () => {
      const session = lasting(version);
      for (const qos of [1, 2] as const) {
        const clientId = `way-${version}-${qos}`;
        const client = await enter(node(), version, { ...session, clientId });
        await subscribe(client, at('way'), qos);
        const publisher = await enter(node(), version);
        await send(publisher, message(at('way'), 'sent', qos));
        const { messageId } = await client.expect({ cmd: 'publish', payload: 'sent' });
        client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [at('way')] });
        await client.expect({ cmd: 'unsuback' });
        await leave(client);
        const again = await enter(node(), version, { ...session, clientId });
        await take(again, { payload: 'sent', qos, dup: true, messageId });
        await again.expectQuiet();
        await leave(again);
      }
    });

    it('wildcards match as the standard says [MQTT 5, 4.7]', async () => {
      const client = await enter(node(), version);
      const cases: [filter: string, topics: string[], others: string[]][] = [
        ['sport/tennis/player1/#', ['sport/tennis/player1', 'sport/tennis/player1/ranking', 'sport/tennis/player1/score/wimbledon'], ['sport/tennis/player2']],
        ['sport/tennis/+', ['sport/tennis/player1', 'sport/tennis/'], ['sport/tennis/player1/ranking', 'sport/tennis']],
        ['sport/+', ['sport/'], ['sport']],
        ['+/+', ['/finance'], ['finance']],
        ['/+', ['/finance'], ['finance']],
        ['+', ['finance', 'ACCOUNTS'], ['/finance']],
        ['+/tennis/#', ['a/tennis', '/tennis/b/c'], ['tennis']],
        ['sport/+/player1', ['sport//player1'], ['sport/player1']],
        ['a//#', ['a/', 'a//b'], ['a']],
      ];
      for (const [filter, topics, others] of cases) {
        await subscribe(client, filter, 0);
        for (const topic of topics) {
          client.send(message(topic, filter, 0));
          await client.expect({ cmd: 'publish', topic, payload: filter });
        }
        for (const topic of others) client.send(message(topic, filter, 0));
        await client.expectQuiet();
        client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: [filter] });
        await client.expect({ cmd: 'unsuback' });
      }
    });

    it('topics are compared as they are: nothing is folded, composed or trimmed [MQTT-4.7.3-4]', async () => {
      const client = await enter(node(), version);
      const composed = '\u00e9';
      const decomposed = 'e\u0301';
      const topics = ['a', 'A', '/a', 'a/', ' a', 'a ', './a', 'a/../a', '%61', composed, decomposed, '\ufeffa', '\u00df', 'ss'].map((topic) => `as/is/${topic}`);
      for (const topic of topics) {
        await subscribe(client, topic, 0);
        for (const other of topics) client.send(message(other, other, 0));
        await client.expect({ cmd: 'publish', topic, payload: topic });
        await client.expectQuiet();
        client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: [topic] });
        await client.expect({ cmd: 'unsuback' });
      }
    });

    it('leading wildcards do not reach topics that begin with $ [MQTT-4.7.2-1]', async () => {
      const client = await enter(node(), version);
      for (const filter of ['#', '+/dollar', '+/#', '$other/#']) await subscribe(client, filter, 0);
      client.send(message('$mine/dollar', 'hidden', 0));
      await client.expectQuiet();
      await subscribe(client, '$mine/#', 0);
      client.send(message('$mine/dollar', 'seen', 0));
      await client.expect({ cmd: 'publish', topic: '$mine/dollar', payload: 'seen' });
      await subscribe(client, '$mine/+', 1);
      client.send(message('$mine/dollar', 'seen', 0));
      await client.expect({ cmd: 'publish', topic: '$mine/dollar', payload: 'seen' });
      await client.expectQuiet();
    });

    for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(version)]] as const) {
      it(`overlapping filters bring one copy at the highest QoS [MQTT-3.3.5-1] (${name})`, async () => {
        const client = await enter(node(), version, session);
        const publisher = await enter(node(), version);
        for (const [filter, qos] of [['over/#', 0], ['over/+', 2], ['over/x', 1]] as const) await subscribe(client, at(filter), qos);
        for (const qos of [0, 1, 2] as const) {
          await send(publisher, message(at('over/x'), `${qos}`, qos));
          await take(client, { payload: `${qos}`, qos });
          await client.expectQuiet();
        }
      });
    }
  });
});

forEachStore('SUBSCRIBE of MQTT 5.0', (node) => {
  for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(5)]] as const) {
    it(`with no local keeps a client's own messages from it [MQTT-3.8.3-3] (${name})`, async () => {
      const client = await enter(node(), 5, session);
      const other = await enter(node(), 5);
      await subscribe(client, `local/${name}`, 1, { nl: true });
      for (const qos of [0, 1] as const) {
        await send(client, message(`local/${name}`, 'own', qos));
        await send(other, message(`local/${name}`, 'other', qos));
        await take(client, { payload: 'other' });
        await client.expectQuiet();
      }
      // another filter without it brings them
      await subscribe(client, `local/#`, 0);
      client.send(message(`local/${name}`, 'own', 0));
      await client.expect({ cmd: 'publish', payload: 'own' });
      await client.expectQuiet();
    });

    it(`with retain as published keeps the flag, without it the flag is 0 [MQTT-3.3.1-12], [MQTT-3.3.1-13] (${name})`, async () => {
      const client = await enter(node(), 5, session);
      const publisher = await enter(node(), 5);
      await subscribe(client, `rap/${name}/yes`, 1, { rap: true });
      await subscribe(client, `rap/${name}/no`, 1, { rap: false });
      for (const qos of [0, 1] as const) {
        for (const retain of [true, false]) {
          await send(publisher, message(`rap/${name}/yes`, 'x', qos, { retain }));
          await take(client, { retain });
          await send(publisher, message(`rap/${name}/no`, 'x', qos, { retain }));
          await take(client, { retain: false });
        }
      }
    });

    it(`with identifiers has every matching one in the message [MQTT-3.3.4-3], [MQTT-3.3.4-4] (${name})`, async () => {
      const client = await enter(node(), 5, session);
      const publisher = await enter(node(), 5);
      await subscribe(client, `ids/${name}/+`, 2, { properties: { subscriptionIdentifier: 1 } });
      await subscribe(client, `ids/${name}/#`, 1, { properties: { subscriptionIdentifier: 268_435_455 } });
      await subscribe(client, `ids/+/x`, 0);
      for (const qos of [0, 1, 2] as const) {
        await send(publisher, message(`ids/${name}/x`, 'both', qos));
        const { properties } = await take(client, { payload: 'both', qos });
        assert.deepEqual([properties?.subscriptionIdentifier].flat().sort(), [1, 268_435_455]);
        await send(publisher, message(`ids/${name}/x/y`, 'one', qos));
        assert.equal((await take(client, { payload: 'one' })).properties?.subscriptionIdentifier, 268_435_455);
        await send(publisher, message(`ids/other/x`, 'none', qos));
        assert.equal((await take(client, { payload: 'none' })).properties?.subscriptionIdentifier, undefined);
      }
      // a later SUBSCRIBE replaces the identifier, and one without takes it away
      await subscribe(client, `ids/${name}/#`, 1, { properties: { subscriptionIdentifier: 5 } });
      await subscribe(client, `ids/${name}/+`, 1);
      await send(publisher, message(`ids/${name}/x`, 'replaced', 1));
      assert.equal((await take(client, { payload: 'replaced' })).properties?.subscriptionIdentifier, 5);
      client.destroy();
    });
  }

  it('identifiers of a lasting session come with what was queued while it was away', async () => {
    const session = { ...lasting(5), clientId: 'ids-away' };
    const client = await enter(node(), 5, session);
    await subscribe(client, 'away/ids/#', 1, { properties: { subscriptionIdentifier: 42 } });
    await leave(client);
    const publisher = await enter(node(), 5);
    await send(publisher, message('away/ids/x', 'queued', 1));
    const again = await enter(node(), 5, session);
    assert.equal((await take(again, { payload: 'queued' })).properties?.subscriptionIdentifier, 42);
    await send(publisher, message('away/ids/x', 'live', 1));
    assert.equal((await take(again, { payload: 'live' })).properties?.subscriptionIdentifier, 42);
  });
});
