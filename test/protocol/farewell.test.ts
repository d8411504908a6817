import assert from 'node:assert/strict';
import type { Packet } from 'mqtt-packet';
import { Broker } from '../../src/index.ts';
import { within } from '../support/eventually.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';
import { codeOf, enter, forEachVersion, message, nodeFor, subscribe } from './conversation.ts';
import { serve } from './embedded.ts';

/** The reason string of a packet, if it has one. */
const textOf = (packet: Packet): string | undefined => (packet.cmd === 'disconnect' ? packet.properties?.reasonString : undefined);

/** How the name of what MQTT 3 does not have ends. */
const onlyIn5 = 'of MQTT 5';

/** The ways in which a connection that stands is ended by the server, and the code that says so. */
const ends: readonly (readonly [what: string, reasonCode: number, text: RegExp, provoke: (client: PacketClient) => Promise<void> | void])[] = [
  ['a malformed packet', 0x81, /PUBLISH: .*QoS/, (client) => client.send(Buffer.from('3600', 'hex'))],
  ['a second CONNECT', 0x82, /CONNECT/, (client) => client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'again', clean: true, keepalive: 0 })],
  ['a topic with a wildcard', 0x90, /wildcard/, (client) => client.send(message('a/#', 'x', 0))],
  ['a topic alias over the maximum, of MQTT 5', 0x94, /alias/, (client) => client.send(message('a', 'x', 0, { properties: { topicAlias: 99 } }))],
  ['a packet that is too large', 0x95, /./, (client) => client.send(Buffer.from('30ffffff7f', 'hex'))],
  ['a session expiry that was 0, of MQTT 5', 0x82, /expiry/, (client) => client.send({ cmd: 'disconnect', properties: { sessionExpiryInterval: 5 } })],
];

describe('The last word of the server', () => {
  const node = nodeFor();

  for (const [what, reasonCode, text, provoke] of ends) {
    it(`after ${what} is DISCONNECT with 0x${reasonCode.toString(16)}, and why, unless the client wants no problem information`, async () => {
      const client = await enter(node(), 5);
      await provoke(client);
      assert.match(textOf(await client.expect({ cmd: 'disconnect', reasonCode })) ?? '', text);
      await client.expectClosed();
      const discreet = await enter(node(), 5, { properties: { requestProblemInformation: false } });
      await provoke(discreet);
      assert.equal(textOf(await discreet.expect({ cmd: 'disconnect', reasonCode })), undefined);
      await discreet.expectClosed();
    });

    if (what.endsWith(onlyIn5)) continue;
    it(`after ${what} is none for a client that speaks MQTT 3`, async () => {
      const client = await enter(node(), 4);
      await provoke(client);
      await client.expectClosed();
    });
  }

  it('to a CONNECT is a CONNACK that says why, unless the client wants no problem information', async () => {
    for (const requestProblemInformation of [true, false]) {
      const client = await openPackets(node().port, 5);
      const connack = await client.connect({ clientId: 'x'.repeat(300), properties: { requestProblemInformation } });
      assert.equal(codeOf(connack), 0x85);
      assert.equal(connack.properties?.reasonString, requestProblemInformation ? 'CONNECT: the client identifier is longer than 256 bytes' : undefined);
      await client.expectClosed();
    }
  });

  it('is 0x95 to a client that takes no packet as large as its CONNACK [MQTT-3.1.2-24]', async () => {
    const client = await openPackets(node().port, 5);
    const connack = await client.connect({ properties: { maximumPacketSize: 10 } });
    assert.equal(codeOf(connack), 0x95);
    assert.deepEqual({ ...connack.properties }, {});
    await client.expectClosed();
  });

  it('is 0x95 to a client that takes no packet as large as its SUBACK [MQTT-3.1.2-24]', async () => {
    const client = await enter(node(), 5, { properties: { maximumPacketSize: 24 } });
    assert.equal(await subscribe(client, 'one', 0), 0);
    client.send({ cmd: 'subscribe', messageId: 2, subscriptions: Array.from({ length: 30 }, (_, i) => ({ topic: `many/${i}`, qos: 0 as const })) });
    await client.expect({ cmd: 'disconnect', reasonCode: 0x95, length: 1 });
    await client.expectClosed();
  });

  forEachVersion((version) => {
    it('before CONNECT is none', async () => {
      const client = await openPackets(node().port, version);
      client.send({ cmd: 'pingreq' });
      await client.expectClosed();
    });
  });
});

describe('The last word of a program that closes a connection', () => {
  it('is 0x98, administrative action, to a client of MQTT 5', async () => {
    const embedded = await serve(await Broker.createBroker());
    const come = embedded.heard('client');
    const client = await embedded.packets(5);
    assert.equal(codeOf(await client.connect()), 0);
    const [held] = (await come) as [ReturnType<Broker['handle']>];
    await within(new Promise<void>((resolve) => { held.close(resolve); }), 5_000, 'the end of the client');
    const packet = await client.expect({ cmd: 'disconnect', reasonCode: 0x98 });
    assert.match(textOf(packet) ?? '', /program/);
    await client.expectClosed();
  });
});
