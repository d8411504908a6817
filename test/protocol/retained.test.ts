import assert from 'node:assert/strict';
import type { IPublishPacket } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import type { PacketClient } from '../support/packets.ts';
import { enter, forEachStore, forEachVersion, lasting, leave, message, send, take } from './conversation.ts';

/** SUBSCRIBE, and the SUBACK and `count` messages in whatever order they come. */
async function subscribeAndTake(client: PacketClient, topic: string, qos: 0 | 1 | 2, count: number, options: object = {}): Promise<IPublishPacket[]> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos, ...options }] });
  const messages: IPublishPacket[] = [];
  for (let rest = count + 1; rest > 0; ) {
    const packet = await client.next(10_000, `${rest} more packets`);
    if (packet.cmd === 'publish') {
      messages.push(packet);
      if (packet.qos === 1) client.send({ cmd: 'puback', messageId: packet.messageId! });
      if (packet.qos === 2) client.send({ cmd: 'pubrec', messageId: packet.messageId! });
    }
    if (packet.cmd === 'pubrel') client.send({ cmd: 'pubcomp', messageId: packet.messageId! });
    else rest--;
  }
  return messages;
}

forEachStore('A retained message', (node) => {
  forEachVersion((version) => {
    const at = (topic: string): string => `retained/${version}/${topic}`;
    const retain = async (topic: string, payload: string | Buffer, qos: 0 | 1 | 2 = 1): Promise<void> => {
      const publisher = await enter(node(), version);
      await send(publisher, message(at(topic), payload, qos, { retain: true }));
      // QoS 0 has no answer; a message of QoS 1 after it has one when both are stored
      if (qos === 0) await send(publisher, message(at('stored'), '', 1, { retain: true }));
      await leave(publisher);
    };

    for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(version)]] as const) {
      it(`is given to each new subscription, with RETAIN, at the lower QoS (${name}) [MQTT-3.3.1-8]`, async () => {
        for (const stored of [0, 1, 2] as const) {
          await retain('each', `at ${stored}`, stored);
          for (const wanted of [0, 1, 2] as const) {
            const client = await enter(node(), version, session);
            const [packet] = await subscribeAndTake(client, at('each'), wanted, 1);
            assert.deepEqual(
              { payload: packet?.payload.toString(), qos: packet?.qos, retain: packet?.retain, dup: packet?.dup },
              { payload: `at ${stored}`, qos: Math.min(stored, wanted), retain: true, dup: false },
            );
            client.destroy();
          }
        }
      });

      it(`comes without RETAIN to a subscription that stood before it (${name})`, async () => {
        await retain('live', 'old');
        const client = await enter(node(), version, session);
        await subscribeAndTake(client, at('live'), 1, 1);
        await retain('live', 'new');
        await take(client, { payload: 'new', retain: false });
        await client.expectQuiet();
      });
    }

    it('is the last one of its topic, whatever its QoS', async () => {
      for (const qos of [0, 1, 2, 0] as const) await retain('last', `of QoS ${qos}`, qos);
      const client = await enter(node(), version);
      const [packet] = await subscribeAndTake(client, at('last'), 1, 1);
      assert.equal(packet?.payload.toString(), 'of QoS 0');
    });

    it('is removed by an empty one, which subscribers get as a message [MQTT-3.3.1-10], [MQTT-3.3.1-11]', async () => {
      await retain('gone', 'here');
      const watcher = await enter(node(), version);
      await subscribeAndTake(watcher, at('gone'), 1, 1);
      await retain('gone', '');
      await take(watcher, { payload: '', retain: false });
      const client = await enter(node(), version);
      await subscribeAndTake(client, at('gone'), 1, 0);
      await client.expectQuiet();
    });

    it('is not made by a message without RETAIN [MQTT-3.3.1-12]', async () => {
      await retain('stays', 'first');
      const publisher = await enter(node(), version);
      await send(publisher, message(at('stays'), 'second', 1));
      const client = await enter(node(), version);
      const [packet] = await subscribeAndTake(client, at('stays'), 0, 1);
      assert.equal(packet?.payload.toString(), 'first');
    });

    it('is found by wildcards, one of each topic', async () => {
      for (const topic of ['wild/a', 'wild/b', 'wild/a/c', 'wild', 'wild//d']) await retain(topic, topic);
      for (const [filter, found] of [
        ['wild/+', ['wild/a', 'wild/b']],
        ['wild/#', ['wild', 'wild//d', 'wild/a', 'wild/a/c', 'wild/b']],
        ['wild/+/+', ['wild//d', 'wild/a/c']],
        ['+/a/c', ['wild/a/c']],
      ] as const) {
        const client = await enter(node(), version);
        const messages = await subscribeAndTake(client, at(filter), 1, found.length);
        assert.deepEqual(messages.map(({ topic }) => topic).sort(), found.map(at));
        await client.expectQuiet();
      }
    });

    it('of a $ topic is not found by a leading wildcard', async () => {
      const publisher = await enter(node(), version);
      await send(publisher, message(`$kept/${version}`, 'hidden', 1, { retain: true }));
      const client = await enter(node(), version);
      assert.equal((await subscribeAndTake(client, `+/${version}`, 0, 0)).length, 0);
      await client.expectQuiet();
      await subscribeAndTake(client, `$kept/+`, 0, 1);
      await send(publisher, message(`$kept/${version}`, '', 1, { retain: true }));
    });

    it('is given again when a client subscribes again [MQTT-3.8.4-3]', async () => {
      await retain('twice', 'again');
      const client = await enter(node(), version);
      for (let i = 0; i < 3; i++) await subscribeAndTake(client, at('twice'), 1, 1);
      await client.expectQuiet();
    });

    it('is not given again to a session that goes on', async () => {
      await retain('resumed', 'once');
      const session = { ...lasting(version), clientId: `resumed-${version}` };
      const client = await enter(node(), version, session);
      await subscribeAndTake(client, at('resumed'), 1, 1);
      await leave(client);
      await (await enter(node(), version, session)).expectQuiet();
    });

    it('waits for a lasting client that goes before it acknowledged, and keeps its RETAIN', async () => {
      await retain('unheard', 'kept');
      const session = { ...lasting(version), clientId: `unheard-${version}` };
      const client = await enter(node(), version, session);
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: at('unheard'), qos: 1 }] });
      const packets = [await client.next(), await client.next()];
      const messageId = packets.find(({ cmd }) => cmd === 'publish')?.messageId;
      client.destroy();
      await take(await enter(node(), version, session), { payload: 'kept', retain: true, dup: true, messageId });
    });

    it('is given however many and large they are: none is dropped for a client that reads', async () => {
      const publisher = await enter(node(), version);
      const payload = Buffer.alloc(100_000, 'large ');
      for (let i = 0; i < 60; i++) publisher.send(message(at(`large/${i}`), payload, 1, { retain: true, messageId: i + 1 }));
      for (let i = 0; i < 60; i++) await publisher.expect({ cmd: 'puback' });
      for (const qos of [0, 1] as const) {
        const client = await enter(node(), version);
        const messages = await subscribeAndTake(client, at('large/+'), qos, 60);
        assert.equal(new Set(messages.map(({ topic }) => topic)).size, 60);
        client.destroy();
      }
      for (let i = 0; i < 60; i++) publisher.send(message(at(`large/${i}`), '', 0, { retain: true }));
      await publisher.expectQuiet();
    });
  });
});

forEachStore('A retained message of MQTT 5.0', (node) => {
  it('is given as retain handling says [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]', async () => {
    const publisher = await enter(node(), 5);
    await send(publisher, message('handling', 'kept', 1, { retain: true }));
    const client = await enter(node(), 5);
    for (const [rh, count] of [[2, 0], [1, 0], [0, 1], [1, 0], [2, 0], [0, 1]] as const) {
      await subscribeAndTake(client, 'handling', 1, count, { rh });
      await client.expectQuiet();
    }
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['handling'] });
    await client.expect({ cmd: 'unsuback' });
    await subscribeAndTake(client, 'handling', 1, 1, { rh: 1 });
  });

  it('keeps RETAIN without retain as published too, since it is given for the subscription', async () => {
    const publisher = await enter(node(), 5);
    await send(publisher, message('as/published', 'kept', 1, { retain: true }));
    for (const rap of [true, false]) {
      const client = await enter(node(), 5);
      const [packet] = await subscribeAndTake(client, 'as/published', 1, 1, { rap });
      assert.equal(packet?.retain, true);
    }
  });

  it('carries the identifier of the subscription', async () => {
    const publisher = await enter(node(), 5);
    await send(publisher, message('identified', 'kept', 1, { retain: true }));
    for (const session of [{}, lasting(5)]) {
      const client = await enter(node(), 5, session);
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'identified', qos: 1 }], properties: { subscriptionIdentifier: 7 } });
      const packets = [await client.next(), await client.next()];
      const publish = packets.find(({ cmd }) => cmd === 'publish') as IPublishPacket;
      assert.equal(publish.properties?.subscriptionIdentifier, 7);
    }
  });

  it('carries the time that is left of its expiry', async () => {
    const publisher = await enter(node(), 5);
    for (const topic of ['left/0', 'left/1']) {
      await send(publisher, message(topic, 'long', 1, { retain: true, properties: { messageExpiryInterval: 100 } }));
    }
    for (const filter of ['left/0', 'left/+']) {
      await eventually(
        async () => {
          const client = await enter(node(), 5);
          const [first] = await subscribeAndTake(client, filter, 1, filter === 'left/0' ? 1 : 2);
          client.destroy();
          const left = first?.properties?.messageExpiryInterval ?? 0;
          return left < 100 && left > 50;
        },
        { what: 'shorter time' },
      );
    }
  });

  it('is not given when it has expired', async () => {
    const publisher = await enter(node(), 5);
    await send(publisher, message('expiring', 'short', 1, { retain: true, properties: { messageExpiryInterval: 1 } }));
    await send(publisher, message('expiring/not', 'long', 1, { retain: true }));
    await eventually(
      async () => {
        const client = await enter(node(), 5);
        const [first] = await subscribeAndTake(client, 'expiring/#', 1, 1);
        const isAlone = await client.expectQuiet().then(() => true, () => false);
        client.destroy();
        return isAlone && first?.topic === 'expiring/not';
      },
      { what: 'the expiry' },
    );
    const client = await enter(node(), 5);
    await subscribeAndTake(client, 'expiring', 1, 0);
    await client.expectQuiet();
  });
});
