import assert from 'node:assert/strict';
import type { IConnectPacket, IPublishPacket } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestCluster } from '../support/node.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';
import { codeOf, counted, enter, lasting, leave, message, send, subscribe, take } from '../protocol/conversation.ts';

const sessions: readonly (readonly [string, Partial<IConnectPacket>])[] = [['a clean session', {}], ['a lasting session', lasting(5)]];

/** The publishers' nodes have read who wants what until now: they do so before they acknowledge. QoS 0 is not waited for otherwise. */
async function settled(...publishers: readonly PacketClient[]): Promise<void> {
  for (const publisher of publishers) await send(publisher, message('settled', 'x', 1));
}

/** What a subscription of MQTT 5 asks for, with the subscriber on node A and the publisher on node B. */
describe('MQTT 5 over two nodes', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  const a = (): TestCluster['nodes'][number] => cluster.node(0);
  const b = (): TestCluster['nodes'][number] => cluster.node(1);

  before(async () => {
    cluster = await startCluster(2, { set: { 'sys.intervalSeconds': 1 } });
  });

  after(async () => {
    await cluster.stop();
  });

  for (const [name, session] of sessions) {
    it(`one delivery has the identifiers of all filters that match, at the highest QoS (${name})`, async () => {
      const subscriber = await enter(a(), 5, session);
      const publisher = await enter(b(), 5);
      await subscribe(subscriber, `ids/${name}/+`, 2, { properties: { subscriptionIdentifier: 1 } });
      await subscribe(subscriber, `ids/${name}/#`, 0, { properties: { subscriptionIdentifier: 268_435_455 } });
      await subscribe(subscriber, `ids/+/x`, 1);
      await settled(publisher);
      for (const qos of [0, 1, 2] as const) {
        await send(publisher, message(`ids/${name}/x`, 'all', qos));
        const { properties } = await take(subscriber, { payload: 'all', qos });
        assert.deepEqual([properties?.subscriptionIdentifier].flat().sort(), [1, 268_435_455]);
        await send(publisher, message(`ids/${name}/x/y`, 'one', qos));
        assert.equal((await take(subscriber, { payload: 'one', qos: 0 })).properties?.subscriptionIdentifier, 268_435_455);
      }
      await send(publisher, message(`ids/${name}/x`, 'end', 1));
      await take(subscriber, { payload: 'end' });
    });

    it(`no local keeps a client's own messages from it, at whatever node it is, and from nobody else [MQTT-3.8.3-3] (${name})`, async () => {
      const clientId = `local-${name}`;
      const topic = `local/${name}`;
      const [other, publisher] = [await enter(b(), 5), await enter(b(), 5)];
      await subscribe(other, topic, 1);
      for (const node of [a(), b()]) {
        const client = await enter(node, 5, { ...session, clientId });
        await subscribe(client, topic, 1, { nl: true });
        await settled(client, publisher);
        for (const qos of [0, 1, 2] as const) {
          await send(client, message(topic, 'own', qos));
          await take(other, { payload: 'own' });
          await send(publisher, message(topic, 'from another', qos));
          await take(other, { payload: 'from another' });
          await take(client, { payload: 'from another' });
        }
        await leave(client);
      }
    });

    it(`retain as published keeps the flag, and without it the flag is 0 [MQTT-3.3.1-12], [MQTT-3.3.1-13] (${name})`, async () => {
      const subscriber = await enter(a(), 5, session);
      const publisher = await enter(b(), 5);
      await subscribe(subscriber, `rap/${name}/yes`, 1, { rap: true });
      await subscribe(subscriber, `rap/${name}/no`, 1, { rap: false });
      await settled(publisher);
      for (const qos of [0, 1] as const) {
        for (const retain of [true, false]) {
          await send(publisher, message(`rap/${name}/yes`, 'x', qos, { retain }));
          await take(subscriber, { retain });
          await send(publisher, message(`rap/${name}/no`, 'x', qos, { retain }));
          await take(subscriber, { retain: false });
        }
      }
    });

    it(`the client's maximum packet size holds, and what is over it does not come again (${name})`, async () => {
      const clientId = `size-${name}`;
      const properties = { ...session.properties, maximumPacketSize: 100 };
      const subscriber = await enter(a(), 5, { ...session, clientId, properties });
      const publisher = await enter(b(), 5);
      await subscribe(subscriber, `size/${name}`, 2);
      await settled(publisher);
      const before = await counted(a(), 'swarmq_messages_dropped_total', 'reason="packet-too-large"');
      for (const qos of [0, 1, 2] as const) {
        await send(publisher, message(`size/${name}`, 'x'.repeat(101), qos));
        await send(publisher, message(`size/${name}`, 'fits', qos));
        await take(subscriber, { payload: 'fits', qos });
      }
      assert.equal((await counted(a(), 'swarmq_messages_dropped_total', 'reason="packet-too-large"')) - before, 3);
      await leave(subscriber);
      const again = await enter(b(), 5, { ...session, clientId });
      await again.expectQuiet();
      await leave(again);
    });
  }

  it('identifiers stay with what was queued while a client moved from one node to the other', async () => {
    const session = { ...lasting(5), clientId: 'ids-moving' };
    const client = await enter(a(), 5, session);
    await subscribe(client, 'moving/#', 1, { properties: { subscriptionIdentifier: 42 } });
    await subscribe(client, 'moving/+', 2, { properties: { subscriptionIdentifier: 43 } });
    await leave(client);
    const publisher = await enter(a(), 5);
    await send(publisher, message('moving/x', 'queued', 2));
    const moved = await enter(b(), 5, session);
    const queued = await take(moved, { payload: 'queued', qos: 2 });
    assert.deepEqual([queued.properties?.subscriptionIdentifier].flat().sort(), [42, 43]);
    await send(publisher, message('moving/x', 'live', 1));
    const live = await take(moved, { payload: 'live', qos: 1 });
    assert.deepEqual([live.properties?.subscriptionIdentifier].flat().sort(), [42, 43]);
    await leave(moved);
  });

  it('a member of a shared subscription gets the identifier of its own', async () => {
    const one = await enter(a(), 5);
    const two = await enter(b(), 5);
    await subscribe(one, '$share/ids/shared/ids', 1, { properties: { subscriptionIdentifier: 1 } });
    await subscribe(two, '$share/ids/shared/ids', 1, { properties: { subscriptionIdentifier: 2 } });
    for (const node of [a(), b()]) {
      const publisher = await enter(node, 5);
      await settled(publisher);
      for (const qos of [0, 1] as const) {
        for (let i = 0; i < 2; i++) await send(publisher, message('shared/ids', 'x', qos));
        for (const [client, id] of [[one, 1], [two, 2]] as const) {
          assert.equal((await take(client, { payload: 'x' })).properties?.subscriptionIdentifier, id);
        }
      }
    }
  });

  it('retain handling decides what of the other node\'s retained messages a subscription brings, also after a move', async () => {
    const publisher = await enter(b(), 5);
    await send(publisher, message('handling/x', 'kept', 1, { retain: true }));
    const session = { ...lasting(5), clientId: 'handling' };
    const client = await enter(a(), 5, session);
    const brings = async (on: typeof client, rh: 0 | 1 | 2, isBrought: boolean): Promise<void> => {
      await subscribe(on, 'handling/+', 1, { rh });
      if (isBrought) await take(on, { topic: 'handling/x', payload: 'kept', retain: true });
      // three rounds through both nodes, in which nothing else comes
      for (const payload of ['1', '2', '3']) {
        await send(publisher, message('handling/live', payload, 1));
        await take(on, { topic: 'handling/live', payload, retain: false });
      }
    };
    await brings(client, 2, false);
    client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['handling/+'] });
    await client.expect({ cmd: 'unsuback' });
    await brings(client, 1, true);
    await brings(client, 1, false);
    await brings(client, 0, true);
    await leave(client);
    const moved = await enter(b(), 5, session);
    await brings(moved, 1, false);
    await brings(moved, 0, true);
    await brings(moved, 2, false);
    await leave(moved);
    await send(publisher, message('handling/x', '', 1, { retain: true }));
  });

  it('a session expiry changed at DISCONNECT counts on the other node', async () => {
    const expires = async (seconds: number, later: number): Promise<boolean> => {
      const clientId = `expiry-${seconds}-${later}`;
      const client = await enter(a(), 5, { ...lasting(5, seconds), clientId });
      await leave(client, { properties: { sessionExpiryInterval: later } });
      const moved = await openPackets(b().port, 5);
      const { sessionPresent } = await moved.connect({ ...lasting(5, 0), clientId });
      await leave(moved);
      return !sessionPresent;
    };
    assert.deepEqual([await expires(3600, 0), await expires(1, 3600)], [true, false]);
  });

  it('topic aliases stay behind when a client moves: what is sent again there has its topic', async () => {
    const session = { ...lasting(5), clientId: 'alias-moving' };
    const properties = { ...session.properties, topicAliasMaximum: 5 };
    const client = await enter(a(), 5, { ...session, properties });
    await subscribe(client, 'alias/moving', 1);
    const publisher = await enter(b(), 5);
    const forms = async (on: typeof client): Promise<unknown[]> => {
      const all = [];
      for (let i = 0; i < 3; i++) {
        const { topic, properties: arrived } = (await on.expect({ cmd: 'publish', payload: String(i) })) as IPublishPacket;
        all.push([topic, arrived?.topicAlias]);
      }
      return all;
    };
    for (let i = 0; i < 3; i++) await send(publisher, message('alias/moving', String(i), 1));
    assert.deepEqual(await forms(client), [['alias/moving', undefined], ['alias/moving', 1], ['', 1]]);
    client.destroy();
    const moved = await enter(b(), 5, { ...session, properties });
    assert.deepEqual(await forms(moved), [['alias/moving', undefined], ['alias/moving', 1], ['', 1]]);
    moved.destroy();
    const last = await enter(a(), 5, session);
    assert.deepEqual(await forms(last), [['alias/moving', undefined], ['alias/moving', undefined], ['alias/moving', undefined]]);
    await leave(last);
  });

  it('$SYS topics are those of the node that is asked, which also names the others', async () => {
    const clients = await Promise.all([a(), b()].map((node) => enter(node, 5)));
    for (const [i, client] of clients.entries()) {
      const { id } = cluster.node(i);
      await eventually(async () => (await counted(cluster.node(i), 'swarmq_members')) === 2, { what: 'a look at both nodes' });
      await subscribe(client, '$SYS/brokers', 0);
      await take(client, { topic: '$SYS/brokers', payload: [a().id, b().id].sort().join(','), retain: true });
      await subscribe(client, '$SYS/brokers/+/sysdescr', 0);
      await take(client, { topic: `$SYS/brokers/${id}/sysdescr` });
      await subscribe(client, '$SYS/brokers/+/uptime', 0);
      for (let n = 0; n < 3; n++) await take(client, { topic: `$SYS/brokers/${id}/uptime` });
    }
    for (const client of clients) client.destroy();
  });

  it('a client that is taken over at the other node is told 0x8E, with a reason string if it wants one', async () => {
    for (const requestProblemInformation of [true, false]) {
      const clientId = `taken-${requestProblemInformation}`;
      const client = await enter(a(), 5, { clientId, properties: { requestProblemInformation } });
      const other = await enter(b(), 5, { clientId });
      const packet = (await client.expect({ cmd: 'disconnect', reasonCode: 0x8e })) as { properties?: { reasonString?: string } };
      assert.equal(packet.properties?.reasonString !== undefined, requestProblemInformation);
      await client.expectClosed();
      await leave(other);
    }
  });

  it('a will that goes beyond what the server offers is refused at each node alike', async () => {
    const strict = await cluster.join({ set: { 'mqtt.maximumQos': 0 } });
    const will = { topic: 'will', payload: Buffer.from('x'), qos: 1 as const, retain: false };
    const client = await openPackets(strict.port, 5);
    assert.equal(codeOf(await client.connect({ will })), 0x9b);
    // what others publish above it still comes, at the QoS that was granted
    const subscriber = await enter(strict, 5);
    assert.equal(await subscribe(subscriber, 'above', 2), 0);
    const publisher = await enter(a(), 5);
    await send(publisher, message('above', 'x', 2));
    await take(subscriber, { payload: 'x', qos: 0 });
    await strict.stop();
  });

  it('clients of a node that drains go on at the other one, to which it sends them', async () => {
    const reference = `127.0.0.1:${b().port}`;
    const leaving = await cluster.join({ set: { 'redirect.temporary': reference } });
    const session = { ...lasting(5), clientId: 'sent-on' };
    const client = await enter(leaving, 5, session);
    await subscribe(client, 'sent/on', 1);
    const stopped = leaving.stop();
    const { properties } = (await client.expect({ cmd: 'disconnect', reasonCode: 0x9c })) as { properties?: { serverReference?: string } };
    await client.expectClosed();
    const publisher = await enter(a(), 5);
    await send(publisher, message('sent/on', 'meanwhile', 1));
    const moved = await openPackets(Number(properties?.serverReference?.split(':')[1]), 5);
    assert.equal((await moved.connect(session)).sessionPresent, true);
    await take(moved, { payload: 'meanwhile' });
    await stopped;
    await eventually(() => !leaving.isRunning, { what: 'end of the drained node' });
    await leave(moved);
  });
});
