import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/base/errors.ts';
import { noBytes, type Qos } from '../../src/base/message.ts';
import {
  newIncomingPublish,
  publishHeadBytes,
  readPublish,
  utf8Bytes,
  writePublishHead,
  type IncomingPublish,
} from '../../src/codec/publish.ts';
import { bytes, framed, packet, refuses, versions } from '../support/codec.ts';

function read(whole: Buffer, version: 3 | 4 | 5): IncomingPublish {
  const { buffer, first, start, end } = framed(whole);
  const into = newIncomingPublish();
  readPublish(buffer, first, start, end, version, into);
  return into;
}

/** A QoS 0 PUBLISH of MQTT 5 to topic `t` with these properties. */
function withProperties(text: string): Buffer {
  const properties = bytes(text);
  return packet(
    0x30,
    Buffer.concat([bytes("00 01 't'"), Buffer.of(properties.length), properties, bytes("'payload'")]),
  );
}

describe('codec: PUBLISH', () => {
  for (const version of versions) {
    const none = version === 5 ? '00' : '';

    describe(`version ${version}`, () => {
      it('the fields of each QoS are read', () => {
        for (const qos of [0, 1, 2] as const) {
          const id = qos === 0 ? '' : '12 34';
          const got = read(
            packet(0x31 | (qos << 1) | (qos ? 8 : 0), bytes(`00 03 'a/b' ${id} ${none} 'hello'`)),
            version,
          );
          assert.deepEqual(got, {
            topic: 'a/b',
            qos,
            retain: true,
            dup: qos > 0,
            packetId: qos === 0 ? 0 : 0x1234,
            topicAlias: 0,
            expirySeconds: -1,
            payloadFormat: 0,
            properties: noBytes,
            payload: Buffer.from('hello'),
          });
        }
      });

      it('the payload is a view, and may be empty', () => {
        const { buffer, first, start, end } = framed(packet(0x30, bytes(`00 01 'a' ${none} 'xyz'`)));
        const into = newIncomingPublish();
        readPublish(buffer, first, start, end, version, into);
        buffer[end - 1] = 0x21;
        assert.equal(into.payload.toString(), 'xy!');
        assert.equal(read(packet(0x30, bytes(`00 01 'a' ${none}`)), version).payload.length, 0);
      });

      it('a topic may hold any text: BOM, non-characters, four-byte characters, space, $', () => {
        for (const topic of ['\ufeffa', '\uffff/\ufdd0', '\u{1f697}/\u00e9', ' ', '/', '$SYS/x', 'a'.repeat(65_535)]) {
          const name = Buffer.from(topic);
          const head = Buffer.alloc(2);
          head.writeUInt16BE(name.length);
          assert.equal(read(packet(0x30, Buffer.concat([head, name, bytes(none)])), version).topic, topic);
        }
      });

      const bad: [string, number, string, ErrorCode, RegExp][] = [
        ['QoS 3', 0x36, `00 01 'a' 00 01 ${none}`, 'malformed-packet', /QoS is 3/],
        ['DUP with QoS 0', 0x38, `00 01 'a' ${none}`, 'malformed-packet', /DUP/],
        ['no body', 0x30, '', 'malformed-packet', /topic name is cut off/],
        ['half a topic length', 0x30, '00', 'malformed-packet', /topic name is cut off/],
        ['a topic beyond the end', 0x30, "00 05 'abcd'", 'malformed-packet', /topic name is cut off/],
        ['no packet identifier', 0x32, "00 01 'a'", 'malformed-packet', /packet identifier is cut off/],
        ['half a packet identifier', 0x32, "00 01 'a' 01", 'malformed-packet', /packet identifier is cut off/],
        ['packet identifier 0', 0x34, `00 01 'a' 00 00 ${none}`, 'protocol-error', /packet identifier is 0/],
        ['a + in the topic', 0x30, `00 03 'a/+' ${none}`, 'topic-name-invalid', /wildcard/],
        ['a # in the topic', 0x30, `00 01 '#' ${none}`, 'topic-name-invalid', /wildcard/],
        ['U+0000 in the topic', 0x30, `00 03 'a' 00 'b' ${none}`, 'invalid-utf8', /topic name/],
        ['a surrogate in the topic', 0x30, `00 03 ed a0 80 ${none}`, 'invalid-utf8', /topic name/],
        ['an overlong character', 0x30, `00 02 c0 af ${none}`, 'invalid-utf8', /topic name/],
        ['a cut-off character', 0x30, `00 02 'a' c3 ${none}`, 'invalid-utf8', /topic name/],
        version === 5
          ? ['an empty topic without alias', 0x30, '00 00 00', 'protocol-error', /no topic alias/]
          : ['an empty topic', 0x30, '00 00', 'topic-name-invalid', /empty/],
      ];
      for (const [title, first, body, code, message] of bad) {
        it(`${title} is refused`, () => {
          refuses(code, message, () => read(packet(first, bytes(body)), version));
        });
      }
    });
  }

  describe('properties', () => {
    it('all that travel are a view of the packet, as they came', () => {
      const travelling =
        "01 01 03 00 04 'text' 08 00 01 'r' 09 00 02 00 ff 26 00 01 'b' 00 01 '1' 26 00 01 'a' 00 01 '2' 26 00 01 'b' 00 00";
      const whole = withProperties(travelling);
      const got = read(whole, 5);
      assert.deepEqual(got.properties, bytes(travelling));
      assert.equal(got.properties.buffer, whole.buffer);
      assert.equal(got.payloadFormat, 1);
      assert.equal(got.payload.toString(), 'payload');
    });

    it('alias and expiry are taken out, wherever they stand', () => {
      const alias = '23 00 07';
      const expiry = '02 00 00 00 3c';
      const one = "03 00 01 'x'";
      const two = "26 00 01 'k' 00 01 'v'";
      for (const order of [
        [alias, expiry, one, two],
        [one, two, alias, expiry],
        [alias, one, two, expiry],
        [one, alias, two, expiry],
        [one, alias, expiry, two],
        [one, expiry, two, alias, "09 00 01 'c'"],
      ]) {
        const got = read(withProperties(order.join(' ')), 5);
        const left = order.filter((property) => property !== alias && property !== expiry).join(' ');
        assert.deepEqual(got.properties, bytes(left));
        assert.equal(got.topicAlias, 7);
        assert.equal(got.expirySeconds, 60);
      }
    });

    it('an alias alone names the topic', () => {
      const got = read(packet(0x30, bytes("00 00 03 23 ff ff 'p'")), 5);
      assert.equal(got.topic, '');
      assert.equal(got.topicAlias, 65_535);
      assert.equal(got.payload.toString(), 'p');
    });

    it('the longest expiry is no negative number', () => {
      assert.equal(read(withProperties('02 ff ff ff ff'), 5).expirySeconds, 0xffffffff);
    });

    it('one object read into twice keeps nothing of the first packet', () => {
      const into = newIncomingPublish();
      for (const whole of [
        withProperties("01 01 23 00 07 02 00 00 00 01 03 00 01 'x'"),
        packet(0x30, bytes("00 01 't' 00")),
      ]) {
        const { buffer, first, start, end } = framed(whole);
        readPublish(buffer, first, start, end, 5, into);
      }
      assert.deepEqual(into, { ...newIncomingPublish(), topic: 't' });
    });

    const bad: [string, string, ErrorCode, RegExp][] = [
      ['topic alias 0', '23 00 00', 'topic-alias-invalid', /topic alias is 0/],
      ['topic alias twice', '23 00 01 23 00 01', 'protocol-error', /topic alias stands twice/],
      ['message expiry twice', '02 00 00 00 00 02 00 00 00 00', 'protocol-error', /message expiry stands twice/],
      ['payload format twice', '01 00 01 00', 'protocol-error', /stands twice/],
      ['content type twice', "03 00 01 'a' 03 00 01 'a'", 'protocol-error', /stands twice/],
      ['response topic twice', "08 00 01 'a' 08 00 01 'a'", 'protocol-error', /stands twice/],
      ['correlation data twice', '09 00 00 09 00 00', 'protocol-error', /stands twice/],
      ['payload format 2', '01 02', 'protocol-error', /payload format/],
      ['a subscription identifier', '0b 01', 'protocol-error', /subscription identifier/],
      ['a response topic with a wildcard', "08 00 03 'a/#'", 'protocol-error', /response topic/],
      ['an empty response topic', '08 00 00', 'protocol-error', /response topic/],
      ['a response topic that is no text', '08 00 01 ff', 'invalid-utf8', /response topic/],
      ['a content type that is no text', '03 00 01 00', 'invalid-utf8', /content type/],
      ['a user property that is no text', "26 00 01 'a' 00 01 c0", 'invalid-utf8', /user property value/],
      ['a property of another packet', '11 00 00 00 01', 'malformed-packet', /property 17/],
      ['an unknown property', '7f 00', 'malformed-packet', /property 127/],
      ['a two-byte property identifier', '81 01 00', 'malformed-packet', /property 129/],
      ['payload format cut off', '01', 'malformed-packet', /payload format indicator is cut off/],
      ['message expiry cut off', '02 00 00 00', 'malformed-packet', /message expiry is cut off/],
      ['topic alias cut off', '23 00', 'malformed-packet', /topic alias is cut off/],
      ['content type cut off', "03 00 02 'a'", 'malformed-packet', /content type is cut off/],
      ['correlation data cut off', "09 00 02 'a'", 'malformed-packet', /correlation data is cut off/],
      ['a user property without value', "26 00 01 'a'", 'malformed-packet', /user property value is cut off/],
    ];
    for (const [title, properties, code, message] of bad) {
      it(`${title} is refused`, () => {
        refuses(code, message, () => read(withProperties(properties), 5));
      });
    }

    it('a property length that is absent, beyond the end or not in its shortest form is malformed', () => {
      for (const body of [
        "00 01 't'",
        "00 01 't' 05 01 00",
        "00 01 't' 80",
        "00 01 't' 80 00",
        "00 01 't' ff ff ff ff 01",
      ]) {
        refuses('malformed-packet', /propert/, () => read(packet(0x30, bytes(body)), 5));
      }
    });
  });

  describe('writing', () => {
    const topics = ['a', 'fleet/car/000123/telemetry', 'é/\u{1f697}', 'x'.repeat(300)];
    const travelling = bytes("01 01 26 00 01 'k' 00 01 'v'");

    it('what is written is what was announced, and reads back', () => {
      const target = Buffer.alloc(70_000, 0xee);
      for (const version of versions) {
        for (const topic of topics) {
          for (const qos of [0, 1, 2] as Qos[]) {
            for (const payload of [noBytes, Buffer.alloc(100, 'p'), Buffer.alloc(20_000, 'p')]) {
              for (const [properties, expiry, alias] of [
                [noBytes, -1, 0],
                [travelling, 0xfffffffe, 9],
              ] as const) {
                const size = utf8Bytes(topic);
                const head = publishHeadBytes(
                  size,
                  payload.length,
                  properties.length,
                  qos,
                  version,
                  expiry,
                  noBytes,
                  alias,
                );
                const id = qos === 0 ? 0 : 65_535;
                const end = writePublishHead(
                  target,
                  3,
                  topic,
                  size,
                  payload.length,
                  properties,
                  qos,
                  true,
                  qos > 0,
                  id,
                  version,
                  expiry,
                  noBytes,
                  alias,
                );
                assert.equal(end, 3 + head);
                payload.copy(target, end);
                const five = version === 5;
                assert.deepEqual(read(target.subarray(3, end + payload.length), version), {
                  topic,
                  qos,
                  retain: true,
                  dup: qos > 0,
                  packetId: id,
                  topicAlias: five ? alias : 0,
                  expirySeconds: five ? expiry : -1,
                  payloadFormat: five && properties.length > 0 ? 1 : 0,
                  properties: five ? properties : noBytes,
                  payload,
                });
              }
            }
          }
        }
      }
    });

    it('an alias may stand for the topic', () => {
      const target = Buffer.alloc(20);
      const end = writePublishHead(target, 0, 'a/b', 0, 2, noBytes, 0, false, false, 0, 5, -1, noBytes, 7);
      assert.equal(end, publishHeadBytes(0, 2, 0, 0, 5, -1, noBytes, 7));
      assert.deepEqual(target.subarray(0, end), bytes('30 08 00 00 03 23 00 07'));
    });

    it('subscription identifiers are written as given', () => {
      const ids = bytes('0b 01 0b 80 01');
      const target = Buffer.alloc(20);
      const end = writePublishHead(target, 0, 'a', 1, 0, noBytes, 1, false, false, 2, 5, -1, ids, 0);
      assert.equal(end, publishHeadBytes(1, 0, 0, 1, 5, -1, ids, 0));
      assert.deepEqual(target.subarray(0, end), bytes("32 0b 00 01 'a' 00 02 05 0b 01 0b 80 01"));
    });
  });
});
