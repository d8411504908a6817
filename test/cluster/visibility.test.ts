import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { startCluster, type TestCluster } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';

/** P6: a subscription holds when its SUBACK is out. */
describe('a subscription is seen by every node once its SUBACK is out', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startCluster(2);
  });

  after(async () => {
    await cluster.stop();
  });

  for (const { kind, clean } of [{ kind: 'clean', clean: true }, { kind: 'persistent', clean: false }]) {
    it(`200 rounds of SUBACK on node A and at once a QoS 1 publish on node B miss nothing (${kind} session)`, async () => {
      const subscriber = await openPackets(cluster.node(0).port);
      const publisher = await openPackets(cluster.node(1).port);
      await subscriber.connect({ clientId: `seen-${kind}`, clean });
      await publisher.connect();
      for (let round = 1; round <= 200; round++) {
        const topic = round % 2 === 0 ? `seen/${kind}/${round}` : `seen/${kind}/${round}/+`;
        subscriber.send({ cmd: 'subscribe', messageId: round, subscriptions: [{ topic, qos: 1 }] });
        await subscriber.expect({ cmd: 'suback', messageId: round });
        const name = topic.replace('+', 'x');
        publisher.send({ cmd: 'publish', topic: name, payload: String(round), qos: 1, dup: false, retain: false, messageId: round });
        const { messageId } = await subscriber.expect({ cmd: 'publish', topic: name, payload: String(round), qos: 1 });
        subscriber.send({ cmd: 'puback', messageId: messageId! });
        await publisher.expect({ cmd: 'puback', messageId: round });
      }
      subscriber.destroy();
      publisher.destroy();
    });
  }

  it('200 rounds of UNSUBACK on node A and at once a publish on node B bring nothing more', async () => {
    const subscriber = await openPackets(cluster.node(0).port);
    const publisher = await connectClient(cluster.node(1).url);
    await subscriber.connect();
    for (let round = 1; round <= 200; round++) {
      const topic = `unseen/${round}`;
      subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] });
      await subscriber.expect({ cmd: 'suback' });
      subscriber.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [topic] });
      await subscriber.expect({ cmd: 'unsuback' });
      await publisher.publish(topic, 'late');
    }
    await subscriber.expectQuiet();
    subscriber.destroy();
    await publisher.end();
  });

  it('messages of one publisher reach a subscriber on another node in order, for each QoS', async () => {
    const subscriber = await connectClient(cluster.node(0).url);
    await subscriber.subscribe('order/#', 2);
    const publisher = await connectClient(cluster.node(1).url);
    for (const qos of [0, 1, 2] as const) {
      const texts = Array.from({ length: 500 }, (_, i) => `${qos}-${i}`);
      await Promise.all(texts.map((text) => publisher.publish('order/x', text, { qos })));
      const before = qos * 500;
      await subscriber.received(before + 500);
      assert.deepEqual(subscriber.messages.slice(before).map((m) => m.text), texts);
    }
    await subscriber.end();
    await publisher.end();
  });

  it('a retained message that was set on one node reaches a new subscriber on another', async () => {
    const publisher = await connectClient(cluster.node(1).url);
    await publisher.publish('state/1', 'on', { qos: 1, retain: true });
    const subscriber = await connectClient(cluster.node(0).url);
    await subscriber.subscribe('state/+', 1);
    const [message] = await subscriber.received(1);
    assert.deepEqual({ text: message?.text, retain: message?.retain }, { text: 'on', retain: true });
    await publisher.publish('state/1', '', { qos: 1, retain: true });
    const later = await connectClient(cluster.node(0).url);
    await later.subscribe('state/+', 1);
    await publisher.publish('state/2', 'live', { qos: 1 });
    const [live] = await later.received(1);
    assert.equal(live?.text, 'live');
    for (const client of [publisher, subscriber, later]) await client.end();
  });
});
