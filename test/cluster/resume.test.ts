import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { mosquittoPub, mosquittoSub } from '../support/mosquitto.ts';
import { startCluster, type TestCluster } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';

describe('a session goes on at another node', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startCluster(3);
  });

  after(async () => {
    await cluster.stop();
  });

  const count = 5000;
  const numbers = Array.from({ length: count }, (_, i) => String(i));

  it('5,000 QoS 1 messages published on node B while it is away arrive in order on node C (MQTT.js)', async () => {
    const options = { clientId: 'car-1', clean: false };
    const onA = await connectClient(cluster.node(0).url, options);
    await onA.subscribe('cars/1/#', 1);
    await onA.end();
    const backend = await connectClient(cluster.node(1).url);
    await Promise.all(numbers.map((n) => backend.publish('cars/1/commands', n)));
    const onC = await connectClient(cluster.node(2).url, options);
    assert.equal(onC.sessionPresent, true);
    await onC.received(count, 30_000);
    assert.deepEqual(onC.messages.map((m) => m.text), numbers);
    await onC.end();
  });

  it('5,000 QoS 1 messages published on node B while it is away arrive in order on node C (mosquitto_pub, mosquitto_sub)', async () => {
    const options = { id: 'car-2', persistent: true };
    const onA = await mosquittoSub(cluster.node(0).port, 'cars/2/#', options);
    await onA.stop();
    await mosquittoPub(cluster.node(1).port, 'cars/2/commands', numbers);
    const onC = await mosquittoSub(cluster.node(2).port, 'cars/2/#', options);
    const messages = await onC.received(count, 30_000);
    assert.deepEqual(messages.map((m) => m.payload), numbers);
    await onC.stop();
  });

  for (const version of [4, 5] as const) {
    const persistent = { clean: false, ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}) };

    it(`20 unacknowledged messages come again with the same identifiers and DUP, and never after they were acknowledged (version ${version})`, async () => {
      const clientId = `car-again-${version}`;
      const topic = `again/${version}`;
      const onA = await openPackets(cluster.node(0).port, version);
      await onA.connect({ clientId, ...persistent });
      onA.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] });
      await onA.expect({ cmd: 'suback' });
      const backend = await connectClient(cluster.node(1).url);
      for (let i = 0; i < 20; i++) await backend.publish(topic, String(i));
      const first = [];
      for (let i = 0; i < 20; i++) first.push((await onA.expect({ cmd: 'publish', dup: false, payload: String(i) })).messageId);
      onA.destroy();

      const onB = await openPackets(cluster.node(1).port, version);
      assert.equal((await onB.connect({ clientId, ...persistent })).sessionPresent, true);
      for (let i = 0; i < 20; i++) await onB.expect({ cmd: 'publish', dup: true, payload: String(i), messageId: first[i] });
      for (const messageId of first.slice(0, 15)) onB.send({ cmd: 'puback', messageId: messageId! });
      await onB.expectQuiet();
      onB.destroy();

      const onC = await openPackets(cluster.node(2).port, version);
      assert.equal((await onC.connect({ clientId, ...persistent })).sessionPresent, true);
      for (let i = 15; i < 20; i++) await onC.expect({ cmd: 'publish', dup: true, payload: String(i), messageId: first[i] });
      for (const messageId of first.slice(15)) onC.send({ cmd: 'puback', messageId: messageId! });
      await onC.expectQuiet();
      onC.destroy();

      const onceMore = await openPackets(cluster.node(0).port, version);
      assert.equal((await onceMore.connect({ clientId, ...persistent })).sessionPresent, true);
      await onceMore.expectQuiet();
      await backend.end();
    });

    it(`a QoS 2 message to the client goes on at each step it had reached (version ${version})`, async () => {
      const clientId = `car-out-${version}`;
      const topic = `out/${version}`;
      const onA = await openPackets(cluster.node(0).port, version);
      await onA.connect({ clientId, ...persistent });
      onA.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 2 }] });
      await onA.expect({ cmd: 'suback' });
      const backend = await connectClient(cluster.node(2).url);
      await backend.publish(topic, 'once', { qos: 2 });
      const { messageId } = await onA.expect({ cmd: 'publish', dup: false, qos: 2, payload: 'once' });
      onA.destroy();

      const onB = await openPackets(cluster.node(1).port, version);
      await onB.connect({ clientId, ...persistent });
      await onB.expect({ cmd: 'publish', dup: true, qos: 2, messageId, payload: 'once' });
      onB.send({ cmd: 'pubrec', messageId: messageId! });
      await onB.expect({ cmd: 'pubrel', messageId });
      onB.destroy();

      const onC = await openPackets(cluster.node(2).port, version);
      await onC.connect({ clientId, ...persistent });
      await onC.expect({ cmd: 'pubrel', messageId });
      onC.send({ cmd: 'pubcomp', messageId: messageId! });
      await onC.expectQuiet();
      onC.destroy();

      const onA2 = await openPackets(cluster.node(0).port, version);
      await onA2.connect({ clientId, ...persistent });
      await onA2.expectQuiet();
      onA2.destroy();
      await backend.end();
    });

    it(`a QoS 2 message from the client is published once, whichever node its repetition reaches (version ${version})`, async () => {
      const clientId = `car-in-${version}`;
      const topic = `in/${version}`;
      const backend = await connectClient(cluster.node(2).url);
      await backend.subscribe(topic, 2);
      const message = { cmd: 'publish', topic, payload: 'once', qos: 2, retain: false, messageId: 7 } as const;

      const onA = await openPackets(cluster.node(0).port, version);
      await onA.connect({ clientId, ...persistent });
      onA.send({ ...message, dup: false });
      await onA.expect({ cmd: 'pubrec', messageId: 7 });
      onA.destroy();

      const onB = await openPackets(cluster.node(1).port, version);
      await onB.connect({ clientId, ...persistent });
      onB.send({ ...message, dup: true });
      await onB.expect({ cmd: 'pubrec', messageId: 7 });
      onB.send({ cmd: 'pubrel', messageId: 7 });
      await onB.expect({ cmd: 'pubcomp', messageId: 7 });
      // the identifier is free again: the same one is a new message now
      onB.send({ ...message, dup: false, payload: 'next' });
      await onB.expect({ cmd: 'pubrec', messageId: 7 });
      onB.destroy();

      await backend.received(2);
      await backend.publish(topic, 'last', { qos: 2 });
      await backend.received(3);
      assert.deepEqual(backend.messages.map((m) => m.text), ['once', 'next', 'last']);
      await backend.end();
    });
  }

  it('what a client acknowledged just before it moved does not come again', async () => {
    const backend = await connectClient(cluster.node(2).url);
    const options = { clientId: 'car-moving', clean: false };
    const first = await openPackets(cluster.node(0).port);
    await first.connect(options);
    first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'moving', qos: 1 }] });
    await first.expect({ cmd: 'suback' });
    let from = first;
    for (let round = 0; round < 20; round++) {
      await backend.publish('moving', String(round));
      const { messageId } = await from.expect({ cmd: 'publish', payload: String(round) });
      from.send({ cmd: 'puback', messageId: messageId! });
      // on another node at once, while the old connection still stands
      const to = await openPackets(cluster.node((round + 1) % 3).port);
      await to.connect(options);
      await to.expectQuiet();
      from.destroy();
      from = to;
    }
    from.destroy();
    await backend.end();
  });

  it('a clean start on another node ends the session everywhere', async () => {
    const backend = await connectClient(cluster.node(1).url);
    const before = await connectClient(cluster.node(0).url, { clientId: 'car-clean', clean: false });
    await before.subscribe('clean/#');
    await before.end();
    await backend.publish('clean/1', 'waits');
    const fresh = await connectClient(cluster.node(2).url, { clientId: 'car-clean', clean: true });
    assert.equal(fresh.sessionPresent, false);
    await backend.publish('clean/1', 'for nobody');
    await fresh.subscribe('clean/marker');
    await backend.publish('clean/marker', 'marker');
    await fresh.received(1);
    assert.deepEqual(fresh.messages.map((m) => m.text), ['marker']);
    await fresh.end();
    const redis = cluster.redis!.client();
    await eventually(async () => (await redis.keys('sq:s:{car-clean}*')).filter((key) => !key.endsWith(':ended')).length === 0, { what: 'an end without leftovers in Redis' });
    await backend.end();
  });
});
