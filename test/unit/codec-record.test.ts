import assert from 'node:assert/strict';
import { BrokerError } from '../../src/base/errors.ts';
import { Message, noBytes } from '../../src/base/message.ts';
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts';
import { bytes, randomFrom, refuses } from '../support/codec.ts';

const message = new Message(
  'a/b',
  Buffer.from('hello'),
  1,
  true,
  bytes("26 00 01 'k' 00 01 'v'"),
  0x0102030405,
  1_763_676_000_000,
  'c1',
);

describe('codec: the stored form of a message', () => {
  it('what is stored reads back', () => {
    for (const one of [
      message,
      new Message('é/\u{1f697}', noBytes, 0, false, noBytes, 0, 0, ''),
      new Message(
        'x'.repeat(65_535),
        Buffer.alloc(100_000, 'p'),
        2,
        true,
        Buffer.alloc(70_000, 1),
        2 ** 48 - 1,
        2 ** 48 - 1,
        'ü',
      ),
    ]) {
      assert.deepEqual(decodeRecord(encodeRecord(one)), one);
    }
  });

  it('the bytes are those that other nodes expect', () => {
    const expected =
      "01 05 01 9a a3 48 0f 00 00 01 02 03 04 05 00 03 'a/b' 00 02 'c1' 00 00 00 07 26 00 01 'k' 00 01 'v' 'hello'";
    assert.deepEqual(encodeRecord(message), bytes(expected));
  });

  it('payload and properties are views, also behind an offset', () => {
    const stored = Buffer.concat([bytes('ff ff'), encodeRecord(message)]);
    const got = decodeRecord(stored, 2);
    assert.deepEqual(got, message);
    assert.equal(got.payload.buffer, stored.buffer);
    assert.equal(got.properties.buffer, stored.buffer);
  });

  const damages: [string, (record: Buffer) => Buffer, RegExp][] = [
    ['nothing at all', () => noBytes, /head is cut off/],
    ['another version', (record) => (record.writeUInt8(2, 0), record), /version is 2/],
    ['QoS 3', (record) => (record.writeUInt8(3, 1), record), /flags/],
    ['unknown flags', (record) => (record.writeUInt8(8, 1), record), /flags/],
    ['a head cut off', (record) => record.subarray(0, 15), /head is cut off/],
    ['a topic cut off', (record) => record.subarray(0, 18), /topic is cut off/],
    ['a publisher cut off', (record) => record.subarray(0, 24), /publisher is cut off/],
    ['properties cut off', (record) => record.subarray(0, 30), /properties are cut off/],
    ['a topic that is no text', (record) => (record.writeUInt8(0xff, 16), record), /topic/],
    ['a publisher that is no text', (record) => (record.writeUInt8(0, 21), record), /publisher/],
  ];
  for (const [title, damage, what] of damages) {
    it(`${title} is a corrupt store`, () => {
      refuses('store-corrupt', what, () => decodeRecord(damage(Buffer.from(encodeRecord(message)))));
    });
  }

  it('random damage gives a message or a corrupt store', () => {
    const random = randomFrom(11);
    const whole = encodeRecord(message);
    for (let round = 0; round < 5000; round++) {
      const record = Buffer.from(whole.subarray(0, random(whole.length + 1)));
      for (let hits = random(4); hits > 0 && record.length > 0; hits--) record[random(record.length)] = random(256);
      try {
        decodeRecord(record);
      } catch (error) {
        assert.ok(error instanceof BrokerError && error.code === 'store-corrupt', String(error));
      }
    }
  });
});
