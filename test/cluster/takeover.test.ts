import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestCluster } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';

describe('a client id has one owner in the cluster', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startCluster(3);
  });

  after(async () => {
    await cluster.stop();
  });

  it('a second node with the same client id takes the session over; the first connection is told why (5.0)', async () => {
    const first = await openPackets(cluster.node(0).port, 5);
    await first.connect({ clientId: 'one' });
    const second = await openPackets(cluster.node(1).port, 5);
    await second.connect({ clientId: 'one' });
    await first.expect({ cmd: 'disconnect', reasonCode: 0x8e });
    await first.expectClosed();
    await second.expectQuiet();
    second.destroy();
  });

  it('a second node with the same client id takes the session over; the first connection is closed (3.1.1)', async () => {
    const first = await openPackets(cluster.node(0).port);
    await first.connect({ clientId: 'two' });
    const second = await openPackets(cluster.node(2).port);
    await second.connect({ clientId: 'two' });
    await first.expectClosed();
    await second.expectQuiet();
    second.destroy();
  });

  it('a will without delay is sent when the session is taken over', async () => {
    const watcher = await connectClient(cluster.node(2).url);
    await watcher.subscribe('wills/taken');
    const first = await openPackets(cluster.node(0).port);
    await first.connect({ clientId: 'three', will: { topic: 'wills/taken', payload: Buffer.from('gone'), qos: 1, retain: false } });
    const second = await openPackets(cluster.node(1).port);
    await second.connect({ clientId: 'three' });
    assert.equal((await watcher.received(1))[0]?.text, 'gone');
    second.destroy();
    await watcher.end();
  });

  for (const clean of [true, false]) {
    it(`a client that has just gone is let in at another node at once (${clean ? 'clean' : 'persistent'} session)`, async () => {
      for (let round = 0; round < 60; round++) {
        const client = await openPackets(cluster.node(round % 3).port);
        const askedAt = performance.now();
        await client.connect({ clientId: `back-${clean}`, clean });
        assert.ok(performance.now() - askedAt < 2_000, 'not held up until a lease ends');
        // some sooner, some later: the next claim comes before, while and after this node lets go
        client.send({ cmd: 'publish', topic: 'back', payload: 'x', qos: 2, messageId: 1, dup: false, retain: false });
        if (round % 2 === 0) await client.expect({ cmd: 'pubrec' });
        client.destroy();
      }
    });
  }

  it('of 60 connections that fight over 6 ids on all nodes one for each id stands at the end', async () => {
    const ids = Array.from({ length: 6 }, (_, i) => `fought-${i}`);
    const attempts = Array.from({ length: 60 }, async (_, i) => {
      const client = await openPackets(cluster.node(i % 3).port, 5);
      client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clean: true, keepalive: 0, clientId: ids[i % 6]! });
      return client;
    });
    const clients = await Promise.all(attempts);
    await eventually(() => clients.filter((client) => !client.isClosed).length === ids.length, { withinMs: 20_000, what: 'one connection for each id' });
    const backend = await connectClient(cluster.node(0).url);
    const standing = clients.filter((client) => !client.isClosed);
    await Promise.all(
      standing.map(async (client, i) => {
        assert.equal((await client.next()).cmd, 'connack');
        client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `fought/${i}`, qos: 1 }] });
        await client.expect({ cmd: 'suback' });
        await backend.publish(`fought/${i}`, 'winner');
        await client.expect({ cmd: 'publish', payload: 'winner' });
        client.destroy();
      }),
    );
    await backend.end();
  });
});
