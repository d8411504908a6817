import assert from 'node:assert/strict';
import type { IConnectPacket } from 'mqtt-packet';
import { packet } from '../support/codec.ts';
import { openPackets, type ProtocolVersion } from '../support/packets.ts';
import { codeOf, enter, forEachVersion, leave, nodeFor, subscribe, take } from './conversation.ts';

const bit = { clean: 0x02, will: 0x04, willQos1: 0x08, willQos3: 0x18, willRetain: 0x20, password: 0x40, username: 0x80 } as const;

const field = (bytes: string | Buffer): Buffer => {
  const value = Buffer.from(bytes);
  return Buffer.concat([Buffer.of(value.length >> 8, value.length & 0xff), value]);
};

/** A CONNECT of these flags and fields, whether they belong together or not. */
function connect(version: ProtocolVersion, flags: number, ...fields: (string | Buffer)[]): Buffer {
  const none = Buffer.alloc(version === 5 ? 1 : 0);
  const hasWill = version === 5 && (flags & bit.will) !== 0;
  const [clientId, ...others] = fields.map(field);
  const rest = hasWill ? [none, ...others] : others;
  const head = Buffer.concat([field(version === 3 ? 'MQIsdp' : 'MQTT'), Buffer.of(version, flags | bit.clean, 0, 0)]);
  return packet(0x10, Buffer.concat([head, none, ...(clientId ? [clientId] : []), ...rest]));
}

const noText = Buffer.from([0xed, 0xa0, 0x80]);

describe('The payload of CONNECT', () => {
  const node = nodeFor();

  forEachVersion((version) => {
    /** Closed without a CONNACK in MQTT 3, answered with the code in MQTT 5. */
    const isRefused = async (bytes: Buffer, what: string, v5 = 0x81): Promise<void> => {
      const client = await openPackets(node().port, version);
      client.send(bytes);
      if (version === 5) assert.equal(codeOf((await client.expect({ cmd: 'connack' })) as object), v5, what);
      await client.expectClosed();
    };
    const isAccepted = async (bytes: Buffer): Promise<void> => {
      const client = await openPackets(node().port, version);
      client.send(bytes);
      assert.equal(codeOf((await client.expect({ cmd: 'connack' })) as object), 0);
      await leave(client);
    };

    it('has its fields in one order: client identifier, will topic, will message, user name, password [MQTT-3.1.3-1]', async () => {
      const watcher = await enter(node(), version);
      await subscribe(watcher, `payload/${version}`, 0);
      const client = await openPackets(node().port, version);
      const flags = bit.will | bit.username | bit.password;
      client.send(connect(version, flags, `payload-${version}`, `payload/${version}`, 'the will', 'a user', 'a password'));
      assert.equal(codeOf((await client.expect({ cmd: 'connack' })) as object), 0);
      client.destroy();
      await take(watcher, { payload: 'the will' });
    });

    it('that lacks a field is refused [MQTT-3.1.2-9], [MQTT-3.1.3-3]', async () => {
      await isRefused(connect(version, 0), 'no client identifier');
      await isRefused(connect(version, bit.will, 'c'), 'no will');
      await isRefused(connect(version, bit.will, 'c', 'topic'), 'no will message');
      if (version === 3) return;
      // in MQTT 3.1 the flags of user name and password may promise what is not there
      await isRefused(connect(version, bit.username, 'c'), 'no user name');
      await isRefused(connect(version, bit.username | bit.password, 'c', 'user'), 'no password');
    });

    it('that has a field more than its flags say is refused [MQTT-3.1.2-16], [MQTT-3.1.2-18]', async () => {
      await isRefused(connect(version, 0, 'c', 'user'), 'a user name without its flag');
      await isRefused(connect(version, bit.username, 'c', 'user', 'password'), 'a password without its flag');
      await isRefused(connect(version, bit.will, 'c', 'topic', 'message', 'user'), 'a user name behind the will');
    });

    it('has a password without a user name in MQTT 5.0 only [MQTT 3.1.1, MQTT-3.1.2-22]', async () => {
      const bytes = connect(version, bit.password, 'c', 'password');
      if (version === 5) await isAccepted(bytes);
      else await isRefused(bytes, 'a password alone');
    });

    it('with a will QoS of 3, or will flags without a will, is refused [MQTT-3.1.2-11], [MQTT-3.1.2-12], [MQTT-3.1.2-13]', async () => {
      await isRefused(connect(version, bit.will | bit.willQos3, 'c', 'topic', 'message'), 'will QoS 3');
      for (const flags of [bit.willQos1, bit.willRetain]) {
        const bytes = connect(version, flags, 'c');
        // MQTT 3.1 disregards them
        if (version === 3) await isAccepted(bytes);
        else await isRefused(bytes, 'will flags without a will');
      }
    });

    it('whose text is no UTF-8 is refused, in each of its fields [MQTT-3.1.3-4], [MQTT-3.1.3-11], [MQTT-3.1.3-12]', async () => {
      await isRefused(connect(version, 0, noText), 'client identifier');
      await isRefused(connect(version, bit.will, 'c', noText, 'message'), 'will topic');
      await isRefused(connect(version, bit.username, 'c', noText), 'user name');
      // what is no text may be anything
      const flags = bit.will | bit.username | bit.password;
      await isAccepted(connect(version, flags, 'c', 'topic', noText, 'user', noText));
    });

    it('may name a client by 1 to 23 letters and digits [MQTT-3.1.3-5]', async () => {
      const allowed = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
      const ids = [...allowed, ...Array.from({ length: 3 }, (_, i) => allowed.slice(-23 - 20 * i).slice(0, 23)), allowed.slice(0, 23)];
      for (const clientId of ids) await leave(await enter(node(), version, { clientId }));
    });

    it('that is refused ends everything: what follows it in the same bytes is not handled [MQTT 3.1.1, MQTT-3.1.4-5], [MQTT-3.1.4-6]', async () => {
      const topic = `payload/refused/${version}`;
      const watcher = await enter(node(), version);
      await subscribe(watcher, topic, 0);
      const client = await openPackets(node().port, version);
      const none = Buffer.alloc(version === 5 ? 1 : 0);
      const publish = packet(0x30, Buffer.concat([field(topic), none, Buffer.from('too late')]));
      client.send(Buffer.concat([connect(version, 0, 'x'.repeat(300)), publish]));
      assert.equal(codeOf((await client.expect({ cmd: 'connack' })) as object), version === 5 ? 0x85 : 2);
      await client.expectClosed();
      await watcher.expectQuiet();
    });
  });

  it('without a client identifier: each such client is one of its own [MQTT-3.1.3-6], [MQTT-3.1.3-7]', async () => {
    for (const version of [4, 5] as const) {
      const nameless: Partial<IConnectPacket> = { clientId: '' };
      const clients = [await enter(node(), version, nameless), await enter(node(), version, nameless)];
      for (const [i, client] of clients.entries()) await subscribe(client, `payload/nameless/${version}/${i}`, 1);
      for (const client of clients) await client.expectQuiet();
    }
  });
});
