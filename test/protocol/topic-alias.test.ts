import assert from 'node:assert/strict';
import { enter, forEachStore, lasting, leave, message, send, subscribe, take } from './conversation.ts';

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
