import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { packet } from '../support/codec.ts';
import { eventually } from '../support/eventually.ts';
import { openPackets, type ProtocolVersion } from '../support/packets.ts';
import { startCanary } from './canary.ts';
import { closedBy, enter, forEachVersion, nodeFor } from './conversation.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** A packet that ends the connection of a client in good standing, and why; `v5` is the code of the DISCONNECT. */
interface Bad {
  readonly what: string;
  readonly bytes: Buffer;
  readonly reason: string;
  readonly v5: number;
  readonly versions?: readonly ProtocolVersion[];
}

/** For each version, since MQTT 5.0 has properties where MQTT 3 has none. */
const badPackets = (version: ProtocolVersion): readonly Bad[] => {
  const none = version === 5 ? '00' : '';
  const text = (bytes: string): string => `00${(bytes.length / 2).toString(16).padStart(2, '0')}${bytes}`;
  const subscribe = (filter: string, options = '00'): Buffer => packet(0x82, hex(`0001${none}${text(filter)}${options}`));
  const publish = (topic: string, first = 0x30, id = ''): Buffer => packet(first, hex(`${text(topic)}${id}${none}78`));
  const withProperties = (properties: string): Buffer => packet(0x30, hex(`000161${(properties.length / 2).toString(16).padStart(2, '0')}${properties}`));
  return [
    { what: 'a second CONNECT [MQTT-3.1.0-2]', bytes: hex('100c00044d5154540402000000 00'), reason: 'protocol-error', v5: 0x82 },
    { what: 'packet type 0', bytes: hex('0000'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'AUTH, which nobody asked for', bytes: hex('f000'), reason: 'protocol-error', v5: 0x82 },
    { what: 'a packet that only servers send', bytes: hex('20020000'), reason: 'protocol-error', v5: 0x82 },
    { what: 'a remaining length of five bytes', bytes: hex('30ffffffff01'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'a packet that is too large', bytes: hex('30ffffff7f'), reason: 'packet-too-large', v5: 0x95 },
    { what: 'PINGREQ with flags [MQTT-2.1.3-1]', bytes: hex('c100'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'PINGREQ with a body', bytes: hex('c00100'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'DISCONNECT with flags', bytes: hex('e100'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'PUBLISH of QoS 3 [MQTT-3.3.1-4]', bytes: publish('61', 0x36, '0001'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'PUBLISH of QoS 0 with DUP [MQTT-3.3.1-2]', bytes: publish('61', 0x38), reason: 'malformed-packet', v5: 0x81 },
    { what: 'PUBLISH with packet identifier 0 [MQTT-2.2.1-3]', bytes: publish('61', 0x32, '0000'), reason: 'protocol-error', v5: 0x82 },
    { what: 'PUBLISH without a packet identifier', bytes: hex('32030001 61'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'PUBLISH whose topic is cut off', bytes: hex('30030005 61'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'PUBLISH to + [MQTT-3.3.2-2]', bytes: publish('612f2b'), reason: 'topic-name-invalid', v5: 0x90 },
    { what: 'PUBLISH to # [MQTT-3.3.2-2]', bytes: publish('23'), reason: 'topic-name-invalid', v5: 0x90 },
    { what: 'PUBLISH to U+0000 [MQTT-1.5.4-2]', bytes: publish('6100'), reason: 'invalid-utf8', v5: 0x81 },
    { what: 'PUBLISH to a surrogate [MQTT-1.5.4-1]', bytes: publish('eda080'), reason: 'invalid-utf8', v5: 0x81 },
    { what: 'PUBLISH to an overlong form', bytes: publish('c0af'), reason: 'invalid-utf8', v5: 0x81 },
    { what: 'PUBLISH to no topic', bytes: publish(''), reason: version === 5 ? 'protocol-error' : 'topic-name-invalid', v5: 0x82 },
    { what: 'PUBLISH to too many levels', bytes: publish('2f'.repeat(200)), reason: 'topic-name-invalid', v5: 0x90 },
    { what: 'SUBSCRIBE to a surrogate [MQTT-3.8.3-1]', bytes: subscribe('eda080'), reason: 'invalid-utf8', v5: 0x81 },
    { what: 'UNSUBSCRIBE from a surrogate [MQTT-3.10.3-1]', bytes: packet(0xa2, hex(`0001${none}0003eda080`)), reason: 'invalid-utf8', v5: 0x81 },
    { what: 'UNSUBSCRIBE with identifier 0', bytes: packet(0xa2, hex(`0000${none}000161`)), reason: 'protocol-error', v5: 0x82 },
    { what: 'PUBACK without an identifier', bytes: hex('4000'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'PUBACK of identifier 0', bytes: hex('40020000'), reason: 'protocol-error', v5: 0x82 },
    { what: 'PUBREL with the wrong flags [MQTT-3.6.1-1]', bytes: hex('60020001'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'SUBSCRIBE with the wrong flags [MQTT-3.8.1-1]', bytes: hex('8000'), reason: 'malformed-packet', v5: 0x81 },
    { what: 'SUBSCRIBE without a filter [MQTT-3.8.3-2]', bytes: hex(`82${none === '' ? '02' : '03'}0001${none}`), reason: 'protocol-error', v5: 0x82 },
    { what: 'SUBSCRIBE to an empty filter [MQTT-4.7.3-1]', bytes: subscribe(''), reason: 'topic-filter-invalid', v5: 0x8f },
    { what: 'SUBSCRIBE to a#', bytes: subscribe('6123'), reason: 'topic-filter-invalid', v5: 0x8f },
    { what: 'SUBSCRIBE to #/a [MQTT-4.7.1-1]', bytes: subscribe('232f61'), reason: 'topic-filter-invalid', v5: 0x8f },
    { what: 'SUBSCRIBE to a+ [MQTT-4.7.1-2]', bytes: subscribe('612b'), reason: 'topic-filter-invalid', v5: 0x8f },
    { what: 'SUBSCRIBE to U+0000', bytes: subscribe('6100'), reason: 'invalid-utf8', v5: 0x81 },
    { what: 'SUBSCRIBE at QoS 3', bytes: subscribe('61', '03'), reason: version === 5 ? 'protocol-error' : 'malformed-packet', v5: 0x82 },
    { what: 'SUBSCRIBE with identifier 0', bytes: packet(0x82, hex(`0000${none}00016100`)), reason: 'protocol-error', v5: 0x82 },
    { what: 'UNSUBSCRIBE without a filter [MQTT-3.10.3-2]', bytes: hex(`a2${none === '' ? '02' : '03'}0001${none}`), reason: 'protocol-error', v5: 0x82 },
    { what: 'UNSUBSCRIBE from an empty filter', bytes: packet(0xa2, hex(`0001${none}0000`)), reason: 'topic-filter-invalid', v5: 0x8f },
    { what: 'reserved subscription options [MQTT-3.8.3-5]', bytes: subscribe('61', 'c0'), reason: 'malformed-packet', v5: 0x81, versions: [4, 5] },
    { what: 'a remaining length that is not the shortest', bytes: hex('c08000'), reason: 'malformed-packet', v5: 0x81, versions: [5] },
    { what: 'retain handling 3', bytes: subscribe('61', '30'), reason: 'protocol-error', v5: 0x82, versions: [5] },
    { what: '$share without a filter', bytes: subscribe('2473686172652f67'), reason: 'topic-filter-invalid', v5: 0x8f, versions: [5] },
    { what: '$share with an empty name [MQTT-4.8.2-1]', bytes: subscribe('2473686172652f2f61'), reason: 'topic-filter-invalid', v5: 0x8f, versions: [5] },
    { what: '$share with a wildcard in the name [MQTT-4.8.2-2]', bytes: subscribe('2473686172652f672b2f61'), reason: 'topic-filter-invalid', v5: 0x8f, versions: [5] },
    { what: 'no local with $share [MQTT-3.8.3-4]', bytes: subscribe('2473686172652f672f61', '04'), reason: 'protocol-error', v5: 0x82, versions: [5] },
    { what: 'a property that does not belong there', bytes: withProperties('210005'), reason: 'malformed-packet', v5: 0x81, versions: [5] },
    { what: 'a property twice', bytes: withProperties('01000100'), reason: 'protocol-error', v5: 0x82, versions: [5] },
    { what: 'a payload format of 2', bytes: withProperties('0102'), reason: 'protocol-error', v5: 0x82, versions: [5] },
    { what: 'a response topic with a wildcard [MQTT-3.3.2-14]', bytes: withProperties('0800012b'), reason: 'protocol-error', v5: 0x82, versions: [5] },
    { what: 'a response topic that is no UTF-8 [MQTT-3.3.2-13]', bytes: withProperties('080001ff'), reason: 'invalid-utf8', v5: 0x81, versions: [5] },
    { what: 'a content type that is no UTF-8 [MQTT-3.3.2-19]', bytes: withProperties('030001ff'), reason: 'invalid-utf8', v5: 0x81, versions: [5] },
    { what: 'a user property that is no UTF-8 [MQTT-1.5.7-1]', bytes: withProperties('2600016b0001ff'), reason: 'invalid-utf8', v5: 0x81, versions: [5] },
    { what: 'a subscription identifier [MQTT-3.3.4-6]', bytes: withProperties('0b01'), reason: 'protocol-error', v5: 0x82, versions: [5] },
    { what: 'DISCONNECT with a code of the server', bytes: hex('e0018b'), reason: 'protocol-error', v5: 0x82, versions: [5] },
  ];
};

describe('Bad input', () => {
  const node = nodeFor({ set: { 'mqtt.connectTimeoutMs': 1000 } });

  /** What `act` does ends exactly one connection, for this reason, and the others go on. */
  async function isCounted(reason: string, act: () => Promise<void>): Promise<void> {
    const before = await closedBy(node(), reason);
    await act();
    await eventually(async () => (await closedBy(node(), reason)) === before + 1, { what: `connection closed for ${reason}` });
    assert.ok(node().isRunning);
  }

  forEachVersion((version) => {
    for (const { what, bytes, reason, v5 } of badPackets(version).filter((bad) => bad.versions?.includes(version) ?? true)) {
      it(`${what} ends the connection: ${reason}`, async () => {
        await isCounted(reason, async () => {
          const client = await enter(node(), version);
          client.send(bytes);
          if (version === 5) await client.expect({ cmd: 'disconnect', reasonCode: v5 });
          await client.expectClosed();
        });
      });
    }

    it('an acknowledgement of the wrong kind ends the connection: protocol-error', async () => {
      const answers = [
        { qos: 2, answer: 'puback' },
        { qos: 2, answer: 'pubcomp' },
        { qos: 1, answer: 'pubrec' },
        { qos: 1, answer: 'pubcomp' },
      ] as const;
      for (const { qos, answer } of answers) {
        await isCounted('protocol-error', async () => {
          const client = await enter(node(), version);
          client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `bad/ack/${version}`, qos }] });
          await client.expect({ cmd: 'suback' });
          const publisher = await enter(node(), version);
          publisher.send({ cmd: 'publish', topic: `bad/ack/${version}`, payload: 'x', qos, dup: false, retain: false, messageId: 1 });
          const { messageId } = await client.expect({ cmd: 'publish' });
          client.send({ cmd: answer, messageId: messageId! });
          if (version === 5) await client.expect({ cmd: 'disconnect', reasonCode: 0x82 });
          await client.expectClosed();
        });
      }
    });
  });

  describe('before or instead of CONNECT', () => {
    const silent: [what: string, bytes: Buffer, reason: string][] = [
      ['PUBLISH', hex('3003000161'), 'protocol-error'],
      ['PINGREQ', hex('c000'), 'protocol-error'],
      ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: somebody/1.0\r\nAccept: */*\r\n\r\n'), 'protocol-error'],
      ['a TLS handshake', hex('160301010001'), 'malformed-packet'],
      ['zeros', Buffer.alloc(100), 'malformed-packet'],
      ['CONNECT of MQTT 3.1.1 with reserved flags', hex('110c00044d515454040200000000'), 'malformed-packet'],
      ['CONNECT of MQTT 3.1.1 with its reserved flag [MQTT-3.1.2-3]', hex('100c00044d515454040300000000'), 'malformed-packet'],
      ['CONNECT of MQTT 3.1.1 with will QoS and no will', hex('100c00044d515454040a00000000'), 'malformed-packet'],
      ['CONNECT of MQTT 3.1.1 with a password and no user name', hex('100e00044d5154540442000000000000'), 'malformed-packet'],
      ['CONNECT that is cut off', hex('100b00044d5154540402000000'), 'malformed-packet'],
      ['CONNECT with bytes behind it', hex('100d00044d51545404020000000000'), 'malformed-packet'],
      ['CONNECT whose client identifier is no UTF-8', hex('100d00044d5154540402000000 01ff'), 'invalid-utf8'],
      ['a wrong protocol name', hex('100c00044d515155040200000000'), 'unsupported-protocol'],
      ['a protocol name in small letters', hex('100c00046d717474040200000000'), 'unsupported-protocol'],
    ];
    for (const [what, bytes, reason] of silent) {
      it(`${what} ends the connection without a word: ${reason}`, async () => {
        await isCounted(reason, async () => {
          const client = await openPackets(node().port);
          client.send(bytes);
          await client.expectClosed();
        });
      });
    }

    for (const [what, bytes, answer] of [
      ['level 6', hex('100c00044d515454060200000000'), hex('200300 84 00')],
      ['level 3 under the name of level 4', hex('100c00044d515454030200000000'), hex('200200 01')],
      ['level 5 under the name of level 3', hex('100e00064d51497364700502000000 00'), hex('200200 01')],
    ] as const) {
      it(`${what} is answered in the nearest version, and ends the connection: unsupported-protocol [MQTT-3.1.2-2]`, async () => {
        await isCounted('unsupported-protocol', async () => {
          const socket = connectTcp(node().port, '127.0.0.1');
          const chunks: Buffer[] = [];
          socket.on('data', (chunk) => chunks.push(chunk));
          socket.write(bytes);
          await once(socket, 'close');
          assert.equal(Buffer.concat(chunks).toString('hex'), answer.toString('hex'));
        });
      });
    }

    for (const [what, bytes, code, reason] of [
      ['a malformed CONNECT', hex('100d00044d5154540503000000000000').subarray(0, 15), 0x81, 'malformed-packet'],
      ['a property that does not belong there', hex('100f00044d515454050200000201000000'), 0x81, 'malformed-packet'],
      ['a receive maximum of 0', hex('101000044d51545405020000032100000000'), 0x82, 'protocol-error'],
      ['authentication data without a method', hex('101000044d51545405020000031600000000'), 0x82, 'protocol-error'],
    ] as const) {
      it(`${what} of MQTT 5.0 is answered with its code: ${reason}`, async () => {
        await isCounted(reason, async () => {
          const client = await openPackets(node().port, 5);
          client.send(bytes);
          await client.expect({ cmd: 'connack', reasonCode: code });
          await client.expectClosed();
        });
      });
    }

    it('connections that do not complete their CONNECT in time are closed: connect-timeout', async () => {
      const before = await closedBy(node(), 'connect-timeout');
      const nothing = await openPackets(node().port);
      const begun = await openPackets(node().port);
      begun.send(hex('100c00044d5154'));
      const announced = await openPackets(node().port);
      announced.send(hex('10ff7f'));
      const startedAt = performance.now();
      for (const client of [nothing, begun, announced]) await client.expectClosed();
      assert.ok(performance.now() - startedAt > 900, 'each has its time');
      await eventually(async () => (await closedBy(node(), 'connect-timeout')) === before + 3, { what: 'count' });
    });
  });

  it('is logged once a minute and reason at most, and disturbs no other client', async () => {
    const canary = await startCanary(node().port);
    for (let round = 0; round < 300; round++) {
      const client = await openPackets(node().port, 5);
      client.send(hex('100d00044d515454050200000000 00'));
      client.send(round % 3 === 0 ? hex('0000') : round % 3 === 1 ? hex('3003000123') : hex('c100'));
      await client.expect({ cmd: 'connack' });
      await client.expect({ cmd: 'disconnect' });
      await client.expectClosed();
    }
    await canary.stop();
    const lines = node().logs().filter(({ msg }) => msg === 'a connection was closed');
    const reasons = lines.map(({ code }) => code);
    assert.deepEqual([...new Set(reasons)].sort(), [...reasons].sort());
  });

  it('clients that ask and do not take the answers are closed: quota-exceeded', async () => {
    await isCounted('quota-exceeded', async () => {
      const socket = connectTcp(node().port, '127.0.0.1');
      socket.on('error', () => undefined);
      const closed = once(socket, 'close');
      socket.write(hex('100c00044d515454040200000000'));
      const pings = Buffer.alloc(1_000_000, hex('c000'));
      socket.pause();
      const flood = async (): Promise<void> => {
        for (let i = 0; i < 200 && !socket.destroyed; i++) await new Promise((sent) => socket.write(pings, sent));
      };
      await Promise.race([flood(), closed]);
      socket.destroy();
    });
  });
});
