import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { packet } from '../support/codec.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import type { ProtocolVersion } from '../support/packets.ts';
import { enter, forEachVersion, message, nodeFor, send, subscribe } from './conversation.ts';

/** The packets of a stream as bytes; a length that is not in its shortest form fails. */
function split(stream: Buffer): Buffer[] {
  const whole: Buffer[] = [];
  for (let at = 0; at + 1 < stream.length; ) {
    let length = 0;
    let bodyAt = at + 1;
    for (let shift = 0; ; shift += 7) {
      const byte = stream[bodyAt++];
      if (byte === undefined) return whole;
      length |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      assert.ok(shift === 0 || byte > 0, 'a remaining length in its shortest form [MQTT-1.5.5-1]');
      break;
    }
    if (bodyAt + length > stream.length) return whole;
    whole.push(stream.subarray(at, bodyAt + length));
    at = bodyAt + length;
  }
  return whole;
}

/** A client that looks at bytes. */
class ByteClient {
  readonly #socket: Socket;
  readonly #version: ProtocolVersion;
  #received = Buffer.alloc(0);
  #taken = 0;

  constructor(port: number, version: ProtocolVersion) {
    this.#version = version;
    this.#socket = connectTcp(port, '127.0.0.1');
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (bytes) => (this.#received = Buffer.concat([this.#received, bytes])));
    this.#socket.once('close', atEnd('a byte client', () => void this.#socket.destroy()));
  }

  send(...packets: Packet[]): void {
    for (const one of packets) this.#socket.write(generate(one, { protocolVersion: this.#version }));
  }

  async next(): Promise<Buffer> {
    const at = this.#taken++;
    return eventually(() => split(this.#received)[at] ?? false, { what: `packet ${at}` });
  }

  end(): void {
    this.#socket.destroy();
  }
}

describe('The fixed header', () => {
  const node = nodeFor();

  forEachVersion((version) => {
    const v5 = version === 5;
    const hex = async (client: ByteClient): Promise<string> => (await client.next()).toString('hex');
    const connect = (clientId: string): Packet => ({
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clientId,
      clean: true,
      keepalive: 0,
    });

    it('of each packet that the server sends has the flags of its kind, and no properties are a length of 0 [MQTT-2.1.3-1], [MQTT-2.2.2-1]', async () => {
      const client = new ByteClient(node().port, version);
      client.send(connect(`header-${version}`));
      const connack = await client.next();
      assert.equal(connack[0], 0x20);
      // no flag but session present [MQTT-3.2.2-1]
      assert.deepEqual([...connack.subarray(2, 4)], [0, 0]);
      client.send({ cmd: 'subscribe', messageId: 0x102, subscriptions: [{ topic: 'head', qos: 2 }] });
      assert.equal(await hex(client), v5 ? '900401020002' : '9003010202');
      client.send({ cmd: 'pingreq' });
      assert.equal(await hex(client), 'd000');
      const publisher = await enter(node(), version);
      publisher.send(message('head', 'x', 0));
      assert.equal(await hex(client), v5 ? '3008000468656164' + '00' + '78' : '3007000468656164' + '78');
      publisher.send(message('head', 'x', 1));
      assert.equal(await hex(client), v5 ? '320a000468656164' + '0001' + '00' + '78' : '3209000468656164' + '0001' + '78');
      client.send({ cmd: 'puback', messageId: 1 });
      publisher.send(message('head', 'x', 2, { messageId: 2 }));
      assert.equal(await hex(client), v5 ? '340a000468656164' + '0002' + '00' + '78' : '3409000468656164' + '0002' + '78');
      client.send({ cmd: 'pubrec', messageId: 2 });
      assert.equal(await hex(client), '62020002');
      client.send({ cmd: 'pubcomp', messageId: 2 });
      client.send({ cmd: 'unsubscribe', messageId: 0x203, unsubscriptions: ['head'] });
      assert.equal(await hex(client), v5 ? 'b00402030000' : 'b0020203');
      const listener = await enter(node(), version);
      await subscribe(listener, 'elsewhere', 0);
      client.send(message('elsewhere', 'x', 1, { messageId: 7 }));
      assert.equal(await hex(client), '40020007');
      client.send(message('elsewhere', 'x', 2, { messageId: 8 }));
      assert.equal(await hex(client), '50020008');
      client.send({ cmd: 'pubrel', messageId: 8 });
      assert.equal(await hex(client), '70020008');
      client.send(connect('again'));
      if (v5) assert.equal((await client.next())[0], 0xe0);
      client.end();
    });

    it('has the remaining length in its shortest form [MQTT-1.5.5-1]', async () => {
      const client = new ByteClient(node().port, version);
      client.send(connect(`shortest-${version}`), { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'l', qos: 0 }] });
      await client.next();
      await client.next();
      const publisher = await enter(node(), version);
      for (const length of [127, 128, 16_383, 16_384]) {
        const rest = length - 3 - (v5 ? 1 : 0);
        await send(publisher, message('l', Buffer.alloc(rest), 0));
        const bytes = length < 128 ? 1 : length < 16_384 ? 2 : 3;
        assert.equal((await client.next()).length, 1 + bytes + length);
      }
      client.end();
    });

    it('with other flags ends the connection, whatever the packet [MQTT-2.1.3-1], [MQTT-3.10.1-1]', async () => {
      const none = v5 ? '00' : '';
      const bodies: [name: string, first: number, body: string][] = [
        ['PUBACK', 0x40, '0001'],
        ['PUBREC', 0x50, '0001'],
        ['PUBREL', 0x62, '0001'],
        ['PUBCOMP', 0x70, '0001'],
        ['SUBSCRIBE', 0x82, `0001${none}00016100`],
        ['UNSUBSCRIBE', 0xa2, `0001${none}000161`],
        ['PINGREQ', 0xc0, ''],
        ['DISCONNECT', 0xe0, ''],
      ];
      for (const [name, first, body] of bodies) {
        // MQTT 3.1 has DUP in those whose flags are not 0
        const mayRepeat = version === 3 && (first & 0x0f) !== 0;
        for (let flags = 0; flags < 16; flags++) {
          if (flags === (first & 0x0f) || (mayRepeat && (flags & 0x07) === (first & 0x0f))) continue;
          const client = await enter(node(), version);
          client.send(packet((first & 0xf0) | flags, Buffer.from(body, 'hex')));
          if (v5) await client.expect({ cmd: 'disconnect', reasonCode: 0x81 });
          await client.expectClosed().catch((error: unknown) => assert.fail(`${name} with flags ${flags}: ${String(error)}`));
        }
      }
    });
  });
});

describe('The fixed header of CONNECT', () => {
  const node = nodeFor();

  it('with other flags than 0 is no CONNECT', async () => {
    for (let flags = 1; flags < 16; flags++) {
      const socket = connectTcp(node().port, '127.0.0.1');
      socket.write(packet(0x10 | flags, Buffer.from('00044d5154540402000000', 'hex')));
      let answer = 0;
      socket.on('data', (bytes) => (answer += bytes.length));
      await once(socket, 'close');
      assert.equal(answer, 0);
    }
  });
});
