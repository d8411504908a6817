import assert from 'node:assert/strict';
import type { IPublishPacket } from 'mqtt-packet';
import { openPackets, type PacketClient } from '../support/packets.ts';
import { enter, forEachStore, lasting, leave, message, nodeFor, send, subscribe, take } from './conversation.ts';

forEachStore('A topic alias', (node) => {
  it('stands for the topic that it was last given with, on this connection only', async () => {
    const subscriber = await enter(node(), 5);
    await subscribe(subscriber, 'alias/#', 1);
    const publisher = await enter(node(), 5);
    const aliased = (topic: string, payload: string, topicAlias: number, qos: 0 | 1 | 2 = 0): Promise<void> =>
      send(publisher, message(topic, payload, qos, { properties: { topicAlias } }));
    await aliased('alias/one', '1', 1);
    await aliased('alias/two', '2', 32, 1);
    await aliased('', '3', 1);
    await aliased('', '4', 32, 2);
    await aliased('alias/three', '5', 1);
    await aliased('', '6', 1, 1);
    for (const [topic, payload] of [['one', '1'], ['two', '2'], ['one', '3'], ['two', '4'], ['three', '5'], ['three', '6']] as const) {
      const { properties: arrived } = await take(subscriber, { topic: `alias/${topic}`, payload });
      assert.equal(arrived?.topicAlias, undefined);
    }
    const other = await enter(node(), 5);
    other.send(message('', 'unknown', 0, { properties: { topicAlias: 1 } }));
    await other.expect({ cmd: 'disconnect', reasonCode: 0x82 });
    await other.expectClosed();
  });

  it('may be any number up to the maximum [MQTT-3.3.2-12]', async () => {
    const publisher = await openPackets(node().port, 5);
    const { properties } = await publisher.connect();
    const numbers = Array.from({ length: properties?.topicAliasMaximum ?? 0 }, (_, i) => i + 1);
    assert.equal(numbers.length, 32);
    const subscriber = await enter(node(), 5);
    await subscribe(subscriber, 'alias/each/#', 1);
    for (const topicAlias of numbers) await send(publisher, message(`alias/each/${topicAlias}`, 'named', 1, { properties: { topicAlias } }));
    for (const topicAlias of numbers) await send(publisher, message('', 'aliased', 1, { properties: { topicAlias } }));
    for (const payload of ['named', 'aliased']) for (const number of numbers) await take(subscriber, { topic: `alias/each/${number}`, payload });
  });

  it('over the maximum, or 0, ends the connection with 0x94 [MQTT-3.3.2-8], [MQTT-3.3.2-9]', async () => {
    for (const topicAlias of [33, 65_535]) {
      const client = await enter(node(), 5);
      client.send(message('alias/x', 'x', 0, { properties: { topicAlias } }));
      await client.expect({ cmd: 'disconnect', reasonCode: 0x94 });
      await client.expectClosed();
    }
    const client = await enter(node(), 5);
    client.send(Buffer.from('300700017803230000', 'hex'));
    await client.expect({ cmd: 'disconnect', reasonCode: 0x94 });
  });

  it('does not outlive its connection, also in a session that lasts [MQTT-3.3.2-7]', async () => {
    const session = { ...lasting(5), clientId: 'alias-lasting' };
    const first = await enter(node(), 5, session);
    await send(first, message('alias/lasting', 'x', 1, { properties: { topicAlias: 1 } }));
    await leave(first);
    const second = await enter(node(), 5, session);
    second.send(message('', 'x', 0, { properties: { topicAlias: 1 } }));
    await second.expect({ cmd: 'disconnect', reasonCode: 0x82 });
  });
});

/** The next message as it stands in the packet: its topic, which may be empty, and its alias. */
async function form(client: PacketClient): Promise<[topic: string, alias: number | undefined]> {
  const { topic, properties } = await take(client, {});
  return [topic, properties?.topicAlias];
}

forEachStore('A topic alias toward a client', (node) => {
  const takes = (topicAliasMaximum: number): object => ({ properties: { topicAliasMaximum } });

  for (const qos of [0, 1, 2] as const) {
    it(`is set when a topic comes for the second time, and stands for it from then on, QoS ${qos}`, async () => {
      const client = await enter(node(), 5, takes(10));
      await subscribe(client, 'to/client/#', qos);
      const publisher = await enter(node(), 5);
      const next = async (name: string): Promise<unknown> => {
        await send(publisher, message(`to/client/${name}`, name, qos));
        return form(client);
      };
      assert.deepEqual(await next('a'), ['to/client/a', undefined]);
      assert.deepEqual(await next('a'), ['to/client/a', 1]);
      assert.deepEqual(await next('a'), ['', 1]);
      assert.deepEqual(await next('b'), ['to/client/b', undefined]);
      assert.deepEqual(await next('b'), ['to/client/b', 2]);
      assert.deepEqual(await next('a'), ['', 1]);
      assert.deepEqual(await next('b'), ['', 2]);
    });
  }

  it('is not sent to a client that takes none, and never over the number that it takes [MQTT-3.1.2-26], [MQTT-3.1.2-27]', async () => {
    const none = await enter(node(), 5);
    const two = await enter(node(), 5, takes(2));
    for (const client of [none, two]) await subscribe(client, 'over/#', 0);
    const publisher = await enter(node(), 5);
    const known = new Map<number, string>();
    for (let i = 0; i < 60; i++) {
      const topic = `over/topic/${Math.floor(i / 4) % 5}`;
      await send(publisher, message(topic, 'x', 0));
      assert.deepEqual(await form(none), [topic, undefined]);
      const [said, alias] = await form(two);
      assert.ok(alias === undefined || alias <= 2);
      if (alias !== undefined && said !== '') known.set(alias, said);
      assert.equal(said === '' ? known.get(alias!) : said, topic);
    }
    assert.equal(known.size, 2);
  });

  it('belongs to its connection: what is sent again after a reconnect has its topic, and so has the first message after that', async () => {
    const session = { ...lasting(5), clientId: 'alias-to-lasting' };
    const properties = { ...session.properties, topicAliasMaximum: 5 };
    const client = await enter(node(), 5, { ...session, properties });
    await subscribe(client, 'again/and/again', 1);
    const publisher = await enter(node(), 5);
    for (const payload of ['1', '2', '3']) await send(publisher, message('again/and/again', payload, 1));
    for (const [topic, topicAlias] of [['again/and/again', undefined], ['again/and/again', 1], ['', 1]] as const) {
      const packet = (await client.expect({ cmd: 'publish' })) as IPublishPacket;
      assert.deepEqual([packet.topic, packet.properties?.topicAlias], [topic, topicAlias]);
    }
    client.destroy();
    const plain = await enter(node(), 5, session);
    for (const payload of ['1', '2', '3']) {
      const packet = (await plain.expect({ cmd: 'publish', topic: 'again/and/again', payload, dup: true })) as IPublishPacket;
      assert.equal(packet.properties?.topicAlias, undefined);
    }
    plain.destroy();
    const third = await enter(node(), 5, { ...session, properties });
    assert.deepEqual([await form(third), await form(third), await form(third)], [['again/and/again', undefined], ['again/and/again', 1], ['', 1]]);
  });

  it('is counted in the maximum packet size: a packet that only fits without it goes without it', async () => {
    const client = await enter(node(), 5, { properties: { topicAliasMaximum: 5, maximumPacketSize: 60 } });
    await subscribe(client, 'tight/topic', 0);
    const publisher = await enter(node(), 5);
    const next = async (bytes: number): Promise<unknown> => {
      await send(publisher, message('tight/topic', 'x'.repeat(bytes), 0));
      return form(client);
    };
    // two of header, thirteen of topic, one of properties: 44 is left, and with an alias 41
    assert.deepEqual(await next(44), ['tight/topic', undefined]);
    assert.deepEqual(await next(44), ['tight/topic', undefined]);
    assert.deepEqual(await next(41), ['tight/topic', 1]);
    assert.deepEqual(await next(52), ['', 1]);
    await send(publisher, message('tight/topic', 'x'.repeat(53), 0));
    await client.expectQuiet();
  });

  it('reaches each of many subscribers by the numbers of its own connection', async () => {
    const clients = await Promise.all([takes(5), takes(0), takes(5)].map((packet) => enter(node(), 5, packet)));
    const [first, second, third] = clients as [PacketClient, PacketClient, PacketClient];
    await subscribe(first, 'shared/one', 0);
    for (const client of clients) await subscribe(client, 'shared/two', 0);
    const publisher = await enter(node(), 5);
    for (const topic of ['shared/one', 'shared/one', 'shared/two', 'shared/two', 'shared/two']) await send(publisher, message(topic, 'x', 0));
    const forms = async (client: PacketClient, count: number): Promise<unknown[]> => {
      const all = [];
      for (let i = 0; i < count; i++) all.push(await form(client));
      return all;
    };
    assert.deepEqual((await forms(first, 5)).slice(2), [['shared/two', undefined], ['shared/two', 2], ['', 2]]);
    assert.deepEqual(await forms(second, 3), [['shared/two', undefined], ['shared/two', undefined], ['shared/two', undefined]]);
    assert.deepEqual(await forms(third, 3), [['shared/two', undefined], ['shared/two', 1], ['', 1]]);
  });

  it('saves the bytes of the topic', async () => {
    const topic = 'fleet/europe/germany/vehicles/WVWZZZ1JZ3W386752/telemetry/engine/temperature';
    const saving = await enter(node(), 5, takes(1));
    const plain = await enter(node(), 5);
    for (const client of [saving, plain]) await subscribe(client, topic, 0);
    const publisher = await enter(node(), 5);
    const bytes = { saving: 0, plain: 0 };
    for (let i = 0; i < 100; i++) {
      await send(publisher, message(topic, '21.5', 0));
      bytes.saving += (await take(saving, {})).length!;
      bytes.plain += (await take(plain, {})).length!;
    }
    assert.equal(bytes.plain - bytes.saving, 98 * topic.length - 99 * 3);
    assert.ok(bytes.saving < bytes.plain / 5);
  });
});

describe('Topic aliases toward clients, switched off', () => {
  const node = nodeFor({ set: { 'mqtt.outgoingTopicAliases': 0 } });

  it('are not used, whatever a client takes', async () => {
    const client = await enter(node(), 5, { properties: { topicAliasMaximum: 100 } });
    await subscribe(client, 'never/aliased', 0);
    for (let i = 0; i < 3; i++) {
      await send(client, message('never/aliased', 'x', 0));
      assert.deepEqual(await form(client), ['never/aliased', undefined]);
    }
  });
});
