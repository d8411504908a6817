import assert from 'node:assert/strict';
import type { IConnectPacket, IPublishPacket } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import { openPackets, type PacketClient, type ProtocolVersion } from '../support/packets.ts';
import { breakOff, enter, forEachStore, forEachVersion, lasting, leave, message, onBothStores, send, subscribe, take, versions } from './conversation.ts';

/** MQTT 3.1 knows no session present. */
const knows = (version: ProtocolVersion, present: boolean): boolean => present && version !== 3;

forEachStore('A session', (node) => {
  forEachVersion((version) => {
    const back = async (clientId: string, more: object = {}): Promise<PacketClient> => {
      const client = await openPackets(node().port, version);
      const { sessionPresent } = await client.connect({ ...lasting(version), clientId, ...more });
      assert.equal(sessionPresent, knows(version, true));
      return client;
    };
    const begin = async (clientId: string, topic: string, qos: 0 | 1 | 2 = 2): Promise<PacketClient> => {
      const client = await enter(node(), version, { ...lasting(version), clientId });
      await subscribe(client, topic, qos);
      return client;
    };

    it('that lasts keeps its subscriptions and what came while the client was away, in order', async () => {
      const clientId = `away-${version}`;
      const client = await begin(clientId, `${clientId}/#`);
      await leave(client);
      const publisher = await enter(node(), version);
      const sent: [string, 1 | 2][] = [];
      for (let i = 0; i < 100; i++) {
        const qos = i % 3 === 0 ? 2 : 1;
        sent.push([String(i), qos]);
        await send(publisher, message(`${clientId}/x`, String(i), qos));
      }
      await send(publisher, message(`${clientId}/x`, 'QoS 0 is not kept', 0));
      await publisher.expectQuiet();
      const again = await back(clientId);
      const arrived: [string, number][] = [];
      while (arrived.length < sent.length) {
        const packet = await again.next();
        if (packet.cmd === 'publish') {
          assert.equal(packet.dup, false);
          arrived.push([packet.payload.toString(), packet.qos]);
          again.send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId: packet.messageId! });
        } else if (packet.cmd === 'pubrel') {
          again.send({ cmd: 'pubcomp', messageId: packet.messageId! });
        }
      }
      assert.deepEqual(arrived, sent);
      await send(publisher, message(`${clientId}/x`, 'live', 1));
      await eventually(async () => (await again.next()).cmd === 'publish', { what: 'the live message' });
    });

    it('that is clean leaves nothing behind', async () => {
      const clientId = `clean-${version}`;
      const client = await enter(node(), version, { clientId, clean: true });
      await subscribe(client, `${clientId}/#`, 2);
      await leave(client);
      const publisher = await enter(node(), version);
      await send(publisher, message(`${clientId}/x`, 'for nobody', 1));
      const again = await openPackets(node().port, version);
      assert.equal((await again.connect({ ...lasting(version), clientId })).sessionPresent, false);
      await send(publisher, message(`${clientId}/x`, 'for nobody', 1));
      await again.expectQuiet();
    });

    it('is ended by a clean start, with all it had', async () => {
      const clientId = `fresh-${version}`;
      const client = await begin(clientId, `${clientId}/#`);
      const publisher = await enter(node(), version);
      await send(publisher, message(`${clientId}/x`, 'on its way', 1));
      await client.expect({ cmd: 'publish', payload: 'on its way' });
      client.destroy();
      await send(publisher, message(`${clientId}/x`, 'waiting', 1));
      const fresh = await openPackets(node().port, version);
      assert.equal((await fresh.connect({ clientId, clean: true })).sessionPresent, false);
      await send(publisher, message(`${clientId}/x`, 'for nobody', 1));
      await fresh.expectQuiet();
    });

    it('is ended by a clean start that takes it over from a living connection', async () => {
      const clientId = `cleaned-${version}`;
      const client = await begin(clientId, `${clientId}/#`);
      const publisher = await enter(node(), version);
      await send(publisher, message(`${clientId}/x`, 'on its way', 2));
      await client.expect({ cmd: 'publish', payload: 'on its way' });
      const fresh = await openPackets(node().port, version);
      assert.equal((await fresh.connect({ clientId, clean: true })).sessionPresent, false);
      if (version === 5) await client.expect({ cmd: 'disconnect', reasonCode: 0x8e });
      await client.expectClosed();
      await send(publisher, message(`${clientId}/x`, 'for nobody', 1));
      await fresh.expectQuiet();
      await leave(fresh);
      const later = await openPackets(node().port, version);
      assert.equal((await later.connect({ ...lasting(version), clientId })).sessionPresent, false);
      await later.expectQuiet();
    });

    it('brings unacknowledged messages again: same identifiers, same order, DUP, before new ones [MQTT-4.4.0-1]', async () => {
      const clientId = `again-${version}`;
      const client = await begin(clientId, `${clientId}/#`);
      const publisher = await enter(node(), version);
      const first: IPublishPacket[] = [];
      for (let i = 0; i < 10; i++) {
        await send(publisher, message(`${clientId}/x`, String(i), i % 2 === 0 ? 1 : 2));
        first.push((await client.expect({ cmd: 'publish', dup: false, payload: String(i) })) as IPublishPacket);
      }
      // out of order, so that there is a hole
      for (const i of [4, 2]) client.send({ cmd: 'puback', messageId: first[i]!.messageId! });
      await client.expectQuiet();
      await breakOff(node(), client);
      await send(publisher, message(`${clientId}/x`, 'new', 1));
      for (let round = 0; round < 3; round++) {
        const again = await back(clientId);
        for (const { messageId, payload, qos } of first.filter((_, i) => i !== 4 && i !== 2)) {
          await again.expect({ cmd: 'publish', messageId, payload, qos, dup: true });
        }
        await again.expect({ cmd: 'publish', payload: 'new', dup: round > 0 });
        await again.expectQuiet();
        again.destroy();
      }
    });

    it('belongs to its client identifier, letter by letter [MQTT-3.1.3-2]', async () => {
      const clientId = `owner-${version}-a`;
      const client = await begin(clientId, `${clientId}/#`);
      await leave(client);
      for (const other of [clientId.toUpperCase(), `${clientId} `, clientId.slice(0, -1), `${clientId}\u0301`]) {
        const stranger = await openPackets(node().port, version);
        assert.equal((await stranger.connect({ ...lasting(version), clientId: other })).sessionPresent, false);
        await leave(stranger);
      }
      await (await back(clientId)).expectQuiet();
    });

    it('does not take a connection that broke before its CONNACK for one that sent something', async () => {
      const clientId = `broken-${version}`;
      const client = await begin(clientId, `${clientId}/#`, 1);
      const publisher = await enter(node(), version);
      await send(publisher, message(`${clientId}/x`, 'sent', 1));
      const { messageId } = await client.expect({ cmd: 'publish', dup: false });
      client.destroy();
      for (let round = 0; round < 20; round++) {
        const broken = await openPackets(node().port, version);
        void broken.connect({ ...lasting(version), clientId }).catch(() => undefined);
        broken.destroy();
      }
      // a broken one that is still on its way to another node may take the session over once more
      await eventually(async () => (await back(clientId)).expect({ cmd: 'publish', payload: 'sent', messageId, dup: true }), { what: 'message' });
    });

    it('goes on with a message to the client at the step of QoS 2 that it had reached', async () => {
      const clientId = `steps-${version}`;
      const client = await begin(clientId, `${clientId}/#`);
      const publisher = await enter(node(), version);
      await send(publisher, message(`${clientId}/x`, 'once', 2));
      const { messageId } = await client.expect({ cmd: 'publish', qos: 2, dup: false });
      client.destroy();
      const second = await back(clientId);
      await second.expect({ cmd: 'publish', messageId, payload: 'once', dup: true });
      second.send({ cmd: 'pubrec', messageId: messageId! });
      await second.expect({ cmd: 'pubrel', messageId });
      // a repeated PUBREC has the same answer
      second.send({ cmd: 'pubrec', messageId: messageId! });
      await second.expect({ cmd: 'pubrel', messageId });
      second.destroy();
      for (let round = 0; round < 2; round++) {
        const third = await back(clientId);
        await third.expect({ cmd: 'pubrel', messageId });
        await third.expectQuiet();
        third.destroy();
      }
      const last = await back(clientId);
      await last.expect({ cmd: 'pubrel', messageId });
      last.send({ cmd: 'pubcomp', messageId: messageId! });
      await leave(last);
      await (await back(clientId)).expectQuiet();
    });

    it('goes on with a message from the client at the step of QoS 2 that it had reached', async () => {
      const clientId = `incoming-${version}`;
      const watcher = await enter(node(), version);
      await subscribe(watcher, `${clientId}/#`, 0);
      const client = await enter(node(), version, { ...lasting(version), clientId });
      client.send(message(`${clientId}/x`, 'once', 2, { messageId: 9 }));
      await client.expect({ cmd: 'pubrec', messageId: 9 });
      client.destroy();
      const second = await back(clientId);
      second.send(message(`${clientId}/x`, 'once', 2, { messageId: 9, dup: true }));
      await second.expect({ cmd: 'pubrec', messageId: 9 });
      second.send({ cmd: 'pubrel', messageId: 9 });
      await second.expect({ cmd: 'pubcomp', messageId: 9 });
      second.destroy();
      const third = await back(clientId);
      third.send({ cmd: 'pubrel', messageId: 9 });
      await third.expect({ cmd: 'pubcomp', messageId: 9 });
      await send(third, message(`${clientId}/x`, 'next', 2, { messageId: 9 }));
      await watcher.expect({ cmd: 'publish', payload: 'once' });
      await watcher.expect({ cmd: 'publish', payload: 'next' });
      await watcher.expectQuiet();
    });

    it('that is clean does not remember incoming identifiers', async () => {
      const clientId = `forgets-${version}`;
      const watcher = await enter(node(), version);
      await subscribe(watcher, `${clientId}/#`, 0);
      for (const text of ['one', 'two']) {
        const client = await enter(node(), version, { clientId });
        client.send(message(`${clientId}/x`, text, 2, { messageId: 9 }));
        await client.expect({ cmd: 'pubrec', messageId: 9 });
        client.destroy();
        await watcher.expect({ cmd: 'publish', payload: text });
      }
    });

    it('answers what a client sent just before it went', async () => {
      const clientId = `last-word-${version}`;
      const client = await begin(clientId, `${clientId}/#`, 1);
      const publisher = await enter(node(), version);
      for (let round = 0; round < 20; round++) {
        await send(publisher, message(`${clientId}/x`, String(round), 1));
        const from = round === 0 ? client : await back(clientId);
        await take(from, { payload: String(round), dup: false });
        await leave(from);
      }
      await (await back(clientId)).expectQuiet();
    });

    it('is taken over by a second connection with its client identifier [MQTT-3.1.4-3]', async () => {
      const clientId = `taken-${version}`;
      const first = await begin(clientId, `${clientId}/#`, 1);
      const publisher = await enter(node(), version);
      await send(publisher, message(`${clientId}/x`, 'unacknowledged', 1));
      const { messageId } = await first.expect({ cmd: 'publish', payload: 'unacknowledged' });
      const second = await back(clientId);
      if (version === 5) await first.expect({ cmd: 'disconnect', reasonCode: 0x8e });
      await first.expectClosed();
      await second.expect({ cmd: 'publish', messageId, payload: 'unacknowledged', dup: true });
      second.send({ cmd: 'puback', messageId: messageId! });
      await send(publisher, message(`${clientId}/x`, 'to the second', 1));
      await take(second, { payload: 'to the second' });
    });

    it('of 30 connections with one identifier at the same time only the last one stands', async () => {
      const clientId = `crowd-${version}`;
      const clients = await Promise.all(Array.from({ length: 30 }, () => openPackets(node().port, version)));
      const packet = { cmd: 'connect', protocolId: version === 3 ? 'MQIsdp' : 'MQTT', protocolVersion: version, clientId, clean: false, keepalive: 0 } as const;
      for (const client of clients) client.send(packet);
      await eventually(() => clients.filter((client) => !client.isClosed).length === 1, { what: 'one that stands' });
      const standing = clients.find((client) => !client.isClosed)!;
      await standing.expect({ cmd: 'connack' });
      await standing.expectQuiet();
    });
  });
});

onBothStores('A message that is not acknowledged', (test) => {
  test('does not come again while its connection stands [MQTT-4.4.0-1]', async (node) => {
    const isPatient = async (version: ProtocolVersion, session: Partial<IConnectPacket>): Promise<void> => {
      const topic = `patient/${version}/${session.clean}`;
      const client = await enter(node, version, session);
      await subscribe(client, topic, 2);
      const publisher = await enter(node, version);
      for (const qos of [1, 2] as const) await send(publisher, message(topic, 'sent', qos));
      for (const qos of [1, 2] as const) await client.expect({ cmd: 'publish', payload: 'sent', qos });
      // nor does a subscription made again bring it
      await subscribe(client, topic, 2);
      await client.nothing(2_000);
    };
    await Promise.all(versions.flatMap((version) => [isPatient(version, { clean: true }), isPatient(version, lasting(version))]));
  });
});
