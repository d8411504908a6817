import assert from 'node:assert/strict';
import type { IClientOptions } from 'mqtt';
import { connectClient } from '../support/client.ts';
import { mosquittoPub, mosquittoSub } from '../support/mosquitto.ts';
import { forEachStore } from './conversation.ts';

const count = 1000;
const numbers = Array.from({ length: count }, (_, i) => String(i));

forEachStore('Independent clients', (node) => {
  for (const version of ['31', '311', '5'] as const) {
    for (const qos of [0, 1, 2] as const) {
      it(`mosquitto_pub to mosquitto_sub at QoS ${qos}, version ${version}`, async () => {
        const sub = await mosquittoSub(node().port, `m2m/${version}/${qos}/#`, { qos, version });
        await mosquittoPub(node().port, `m2m/${version}/${qos}/x`, numbers, { qos, version });
        const messages = await sub.received(count);
        assert.deepEqual(messages.map(({ payload }) => payload), numbers);
        assert.ok(messages.every((message) => message.qos === qos && !message.retain));
        await sub.stop();
      });
    }

    it(`mosquitto_sub takes up its session, version ${version}`, async () => {
      const options = { id: `m-${version}`, persistent: true, version, qos: 2 } as const;
      const before = await mosquittoSub(node().port, `m-away/${version}`, options);
      await before.stop();
      await mosquittoPub(node().port, `m-away/${version}`, numbers, { qos: 2, version });
      const later = await mosquittoSub(node().port, `m-away/${version}`, options);
      assert.deepEqual((await later.received(count)).map(({ payload }) => payload), numbers);
      await later.stop();
    });
  }

  for (const protocolVersion of [3, 4, 5] as const) {
    const options: IClientOptions = { protocolVersion, ...(protocolVersion === 3 ? { protocolId: 'MQIsdp' } : {}) };

    it(`MQTT.js to itself at each QoS, version ${protocolVersion}`, async () => {
      const client = await connectClient(node().url, options);
      assert.deepEqual(await client.subscribe('js/#', 2), [2]);
      for (const qos of [0, 1, 2] as const) {
        await Promise.all(numbers.map((text) => client.publish(`js/${qos}`, text, { qos })));
        await client.received(count * (qos + 1));
        assert.deepEqual(client.messages.slice(count * qos).map((message) => message.text), numbers);
      }
      await client.unsubscribe('js/#');
      await client.end();
    });

    it(`MQTT.js takes up its session, version ${protocolVersion}`, async () => {
      const session: IClientOptions = { ...options, clientId: `js-${protocolVersion}`, clean: false, ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 60 } } : {}) };
      const topic = `js-away/${protocolVersion}`;
      const before = await connectClient(node().url, session);
      await before.subscribe(topic, 2);
      await before.end();
      const publisher = await connectClient(node().url, options);
      await Promise.all(numbers.map((text) => publisher.publish(topic, text, { qos: 2 })));
      const later = await connectClient(node().url, session);
      await later.received(count);
      assert.deepEqual(later.messages.map((message) => message.text), numbers);
      await later.end();
      await publisher.end();
    });
  }

  it('MQTT.js at version 5 hears mosquitto_pub at version 3.1, and mosquitto_sub hears MQTT.js', async () => {
    const young = await connectClient(node().url, { protocolVersion: 5 });
    await young.subscribe('mixed/#', 2);
    const sub = await mosquittoSub(node().port, 'mixed/#', { version: '31', qos: 1 });
    await mosquittoPub(node().port, 'mixed/old', ['from 3.1'], { version: '31' });
    await young.publish('mixed/young', 'from 5.0', { qos: 2, properties: { userProperties: { a: 'b' } } });
    assert.deepEqual((await young.received(2)).map(({ text }) => text), ['from 3.1', 'from 5.0']);
    assert.deepEqual((await sub.received(2)).map(({ payload }) => payload), ['from 3.1', 'from 5.0']);
    await sub.stop();
    await young.end();
  });
});
