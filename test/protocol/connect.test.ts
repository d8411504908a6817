import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { generate } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import { openPackets } from '../support/packets.ts';
import { closedBy, codeOf, enter, forEachStore, forEachVersion, leave, message, nodeFor, subscribe, take } from './conversation.ts';

forEachStore('CONNECT', (node) => {
  forEachVersion((version) => {
    const protocolId = version === 3 ? 'MQIsdp' : 'MQTT';

    it('is accepted, without a session that was not there', async () => {
      const client = await openPackets(node().port, version);
      const connack = await client.connect({ clean: false });
      assert.deepEqual({ code: codeOf(connack), present: connack.sessionPresent }, { code: 0, present: false });
      await client.expectQuiet();
    });

    it('is accepted in single bytes', async () => {
      const client = await openPackets(node().port, version);
      const packet = { cmd: 'connect', protocolId, protocolVersion: version, clientId: `bytes-${version}`, clean: true, keepalive: 0 } as const;
      for (const byte of generate(packet, { protocolVersion: version })) client.send(Buffer.of(byte));
      await client.expect({ cmd: 'connack' });
    });

    it('may carry a user name and a password that nobody asks for', async () => {
      const client = await openPackets(node().port, version);
      assert.equal(codeOf(await client.connect({ username: 'someone', password: Buffer.from('secret') })), 0);
    });

    it('may be followed at once by other packets; they are handled in order [MQTT-3.1.4-5]', async () => {
      const client = await openPackets(node().port, version);
      const options = { protocolVersion: version };
      const topic = `pipelined/${version}`;
      client.send(
        Buffer.concat([
          generate({ cmd: 'connect', protocolId, protocolVersion: version, clientId: `pipe-${version}`, clean: true, keepalive: 0 }, options),
          generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] }, options),
          generate(message(topic, 'at once', 0), options),
          generate({ cmd: 'pingreq' }, options),
        ]),
      );
      await client.expect({ cmd: 'connack' });
      await client.expect({ cmd: 'suback' });
      const two = [await client.next(), await client.next()].map(({ cmd }) => cmd).sort();
      assert.deepEqual(two, ['pingresp', 'publish']);
    });

    it('of a client that tells all it has and goes at once is heard to the end, its DISCONNECT too', async () => {
      const topic = `in-haste/${version}`;
      const watcher = await enter(node(), version);
      await subscribe(watcher, `${topic}/+`, 1);
      for (let round = 0; round < 20; round++) {
        const clientId = `hasty-${version}-${round}`;
        const will = { topic: `${topic}/will`, payload: Buffer.from('no'), qos: 1 as const, retain: false };
        const options = { protocolVersion: version };
        const socket = connectTcp(node().port, '127.0.0.1');
        socket.resume();
        socket.end(
          Buffer.concat([
            generate({ cmd: 'connect', protocolId, protocolVersion: version, clientId, clean: true, keepalive: 0, will }, options),
            generate(message(`${topic}/data`, String(round), 0), options),
            generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'nothing', qos: 0 }] }, options),
            generate(message(`${topic}/more`, String(round), 0), options),
            generate({ cmd: 'disconnect' }, options),
          ]),
        );
        await once(socket, 'close');
        await take(watcher, { topic: `${topic}/data`, payload: String(round) });
        await take(watcher, { topic: `${topic}/more`, payload: String(round) });
      }
      await watcher.expectQuiet();
    });

    it('with a client identifier that is too long is refused', async () => {
      const client = await openPackets(node().port, version);
      assert.equal(codeOf(await client.connect({ clientId: 'x'.repeat(257) })), version === 5 ? 0x85 : 2);
      await client.expectClosed();
    });
  });

  it('without a client identifier is refused with return code 2 in MQTT 3.1', async () => {
    const client = await openPackets(node().port, 3);
    // MQIsdp, level 3, clean session, no client identifier
    client.send(Buffer.from('100e00064d514973647003020000' + '0000', 'hex'));
    assert.equal(codeOf((await client.expect({ cmd: 'connack' })) as object), 2);
    await client.expectClosed();
  });

  it('without a client identifier is accepted in MQTT 3.1.1 for a clean session only [MQTT-3.1.3-8]', async () => {
    const clean = await openPackets(node().port, 4);
    assert.equal(codeOf(await clean.connect({ clientId: '', clean: true })), 0);
    const lasting = await openPackets(node().port, 4);
    lasting.send(Buffer.from('100c00044d515454040000000000', 'hex'));
    assert.equal(codeOf((await lasting.expect({ cmd: 'connack' })) as object), 2);
    await lasting.expectClosed();
  });

  it('without a client identifier is given one in MQTT 5.0, each time another [MQTT-3.2.2-16]', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => {
        const client = await openPackets(node().port, 5);
        const connack = await client.connect({ clientId: '' });
        assert.equal(connack.reasonCode, 0);
        return connack.properties?.assignedClientIdentifier;
      }),
    );
    assert.equal(new Set(ids).size, 2);
    for (const id of ids) assert.ok(id);
  });

  it('in MQTT 5.0 is answered with what the server offers', async () => {
    const client = await openPackets(node().port, 5);
    const { properties } = await client.connect({ keepalive: 30, properties: { sessionExpiryInterval: 0xffffffff } });
    const { sessionExpiryInterval, receiveMaximum, maximumPacketSize, topicAliasMaximum, serverKeepAlive } = properties ?? {};
    assert.deepEqual(
      { sessionExpiryInterval, receiveMaximum, maximumPacketSize, topicAliasMaximum, serverKeepAlive },
      { sessionExpiryInterval: 30 * 86_400, receiveMaximum: 1_000, maximumPacketSize: 1_048_576, topicAliasMaximum: 32, serverKeepAlive: undefined },
    );
  });

  it('with an authentication method that the server does not know is refused with 0x8C [MQTT-4.12.0-1]', async () => {
    const client = await openPackets(node().port, 5);
    assert.equal(codeOf(await client.connect({ properties: { authenticationMethod: 'SCRAM-SHA-1' } })), 0x8c);
    await client.expectClosed();
  });
});

describe('Connections over the limit', () => {
  const node = nodeFor({ set: { 'mqtt.maxConnections': 2 } });

  it('are closed at once, and counted; when others go there is room again', async () => {
    const first = await enter(node(), 5);
    const second = await enter(node(), 5);
    const third = await openPackets(node().port, 5);
    await third.expectClosed();
    await eventually(async () => (await closedBy(node(), 'quota-exceeded')) === 1, { what: 'count' });
    await leave(first);
    await second.expectQuiet();
    await eventually(() => enter(node(), 5), { what: 'room' });
  });
});
