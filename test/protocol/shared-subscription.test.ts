import assert from 'node:assert/strict';
import type { IPublishPacket } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import type { PacketClient } from '../support/packets.ts';
import { enter, forEachStore, forEachVersion, lasting, leave, message, send, subscribe, take, type Place } from './conversation.ts';

/** What came to a client until now: the answer to a PINGREQ is behind it. */
async function arrived(client: PacketClient): Promise<IPublishPacket[]> {
  client.send({ cmd: 'pingreq' });
  const messages: IPublishPacket[] = [];
  for (let packet = await client.next(); packet.cmd !== 'pingresp'; packet = await client.next()) messages.push(packet as IPublishPacket);
  return messages;
}

/** The member that has the message, the one that has not, and the message. */
async function chosen(members: readonly PacketClient[]): Promise<{ member: PacketClient; other: PacketClient; packet: IPublishPacket }> {
  const [first, second] = members as [PacketClient, PacketClient];
  const [at, ...more] = await eventually(
    async () => {
      const all = [await arrived(first), await arrived(second)].flatMap((messages, i) => messages.map((packet) => ({ i, packet })));
      return all.length > 0 && all;
    },
    { what: 'a message to one of the members' },
  );
  assert.ok(at !== undefined && more.length === 0, 'one member has the message');
  return { member: at.i === 0 ? first : second, other: at.i === 0 ? second : first, packet: at.packet };
}

const patient = async (node: Place, version: 4 | 5, clientId: string, filter: string): Promise<PacketClient> => {
  const client = await enter(node, version, { ...lasting(version), clientId });
  await subscribe(client, filter, 2);
  return client;
};

forEachStore('A shared subscription', (node) => {
  forEachVersion((version) => {
    it('gives a message at the QoS that the member was granted [MQTT-4.8.2-3]', async () => {
      for (const granted of [0, 1, 2] as const) {
        const topic = `shared/${version}/granted/${granted}`;
        const member = await enter(node(), version);
        assert.equal(await subscribe(member, `$share/g/${topic}`, granted), granted);
        const publisher = await enter(node(), version);
        for (const qos of [0, 1, 2] as const) {
          await send(publisher, message(topic, `${qos}`, qos));
          await take(member, { payload: `${qos}`, qos: Math.min(qos, granted), retain: false });
        }
        await member.expectQuiet();
      }
    });

    it('ends with UNSUBSCRIBE, and is another one under another name', async () => {
      const topic = `shared/${version}/ends`;
      const one = await enter(node(), version);
      const two = await enter(node(), version);
      await subscribe(one, `$share/one/${topic}`, 1);
      await subscribe(two, `$share/two/${topic}`, 1);
      const publisher = await enter(node(), version);
      await send(publisher, message(topic, 'to each group', 1));
      for (const client of [one, two]) await take(client, { payload: 'to each group' });
      one.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [`$share/one/${topic}`] });
      await one.expect({ cmd: 'unsuback' });
      await send(publisher, message(topic, 'to one group', 1));
      await take(two, { payload: 'to one group' });
      await one.expectQuiet();
    });

    it('brings no retained messages', async () => {
      const topic = `shared/${version}/retained`;
      const publisher = await enter(node(), version);
      await send(publisher, message(topic, 'kept', 1, { retain: true }));
      const member = await enter(node(), version);
      await subscribe(member, `$share/g/${topic}`, 1);
      await member.expectQuiet();
    });
  });

  for (const version of [4, 5] as const) {
    it(`leaves a QoS 2 message with the member that has it, who gets the rest of it when it comes back [MQTT-4.8.2-4] (version ${version})`, async () => {
      const topic = `shared/${version}/stays`;
      const ids = [`stays-${version}-a`, `stays-${version}-b`];
      const members = await Promise.all(ids.map((clientId) => patient(node(), version, clientId, `$share/g/${topic}`)));
      const publisher = await enter(node(), version);
      await send(publisher, message(topic, 'once', 2));
      const { member, other, packet } = await chosen(members);
      const clientId = ids[members.indexOf(member)]!;
      member.destroy();
      // what comes meanwhile goes to the other one; the message that was begun does not
      await eventually(
        async () => {
          await send(publisher, message(topic, 'meanwhile', 2));
          return (await arrived(other)).length > 0;
        },
        { what: 'a message to the other member' },
      );
      const back = await enter(node(), version, { ...lasting(version), clientId });
      await take(back, { payload: 'once', messageId: packet.messageId, qos: 2, dup: true });
    });

    it(`gives a QoS 2 message to nobody else when the session of its member ends [MQTT-4.8.2-5] (version ${version})`, async () => {
      const topic = `shared/${version}/ended`;
      const ids = [`ended-${version}-a`, `ended-${version}-b`];
      const members = await Promise.all(ids.map((clientId) => patient(node(), version, clientId, `$share/g/${topic}`)));
      const publisher = await enter(node(), version);
      await send(publisher, message(topic, 'once', 2));
      const { member, other } = await chosen(members);
      const clientId = ids[members.indexOf(member)]!;
      member.destroy();
      await leave(await enter(node(), version, { clientId, clean: true }));
      await send(publisher, message(topic, 'next', 2));
      await take(other, { payload: 'next' });
      await other.expectQuiet();
    });
  }

  it('gives a message that its member refuses to nobody else [MQTT-4.8.2-6]', async () => {
    const members = await Promise.all(['refuses-a', 'refuses-b'].map((clientId) => patient(node(), 5, clientId, '$share/g/shared/refused')));
    const publisher = await enter(node(), 5);
    for (const [qos, answer] of [[1, 'puback'], [2, 'pubrec']] as const) {
      await send(publisher, message('shared/refused', 'no', qos));
      const { member, other, packet } = await chosen(members);
      member.send({ cmd: answer, messageId: packet.messageId!, reasonCode: 0x83 });
      for (const each of [member, other]) await each.expectQuiet();
    }
    for (const member of members) await leave(member);
    for (const clientId of ['refuses-a', 'refuses-b']) await (await enter(node(), 5, { ...lasting(5), clientId })).expectQuiet();
  });

  it('beside an ordinary one: each copy carries the identifier of its own subscription [MQTT-3.3.4-5]', async () => {
    const client = await enter(node(), 5);
    await subscribe(client, 'shared/ids', 1, { properties: { subscriptionIdentifier: 3 } });
    await subscribe(client, '$share/g/shared/ids', 1, { properties: { subscriptionIdentifier: 4 } });
    const publisher = await enter(node(), 5);
    for (const qos of [0, 1] as const) {
      await send(publisher, message('shared/ids', 'x', qos));
      const copies = [await take(client, { payload: 'x' }), await take(client, { payload: 'x' })];
      assert.deepEqual(copies.map(({ properties }) => properties?.subscriptionIdentifier).sort(), [3, 4]);
      await client.expectQuiet();
    }
  });
});
