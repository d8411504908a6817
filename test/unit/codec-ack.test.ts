import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/base/errors.ts';
import { maxAckBytes, readAck, writeAck, type IncomingAck } from '../../src/codec/publish.ts';
import { bytes, framed, refuses, versions } from '../support/codec.ts';

function read(whole: Buffer, version: 3 | 4 | 5): IncomingAck {
  const { buffer, first, start, end } = framed(whole);
  const into = { packetId: 0, reason: 0xee };
  readAck(buffer, first, start, end, version, into);
  return into;
}

const types = [4, 5, 6, 7] as const;
const first = (type: number) => ((type << 4) | (type === 6 ? 2 : 0)).toString(16);

describe('codec: PUBACK, PUBREC, PUBREL, PUBCOMP', () => {
  it('the short form is read in every version', () => {
    for (const version of versions) {
      for (const type of types)
        assert.deepEqual(read(bytes(`${first(type)} 02 ff fe`), version), { packetId: 0xfffe, reason: 0 });
    }
  });

  it('MQTT 5 has a reason and properties behind it', () => {
    for (const type of types) {
      const reason = type < 6 ? '87' : '92';
      const expected = { packetId: 1, reason: Number.parseInt(reason, 16) };
      assert.deepEqual(read(bytes(`${first(type)} 03 00 01 ${reason}`), 5), expected);
      assert.deepEqual(read(bytes(`${first(type)} 04 00 01 ${reason} 00`), 5), expected);
      const properties = "0e 1f 00 02 'no' 26 00 01 'k' 00 03 'val'";
      assert.deepEqual(read(bytes(`${first(type)} 12 00 01 ${reason} ${properties}`), 5), expected);
    }
  });

  it('each type takes the reasons a client may send, and no other', () => {
    for (const type of types) {
      const allowed = type < 6 ? [0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] : [0x00, 0x92];
      for (let reason = 0; reason < 256; reason++) {
        const whole = Buffer.concat([bytes(`${first(type)} 03 00 01`), Buffer.of(reason)]);
        if (allowed.includes(reason)) assert.equal(read(whole, 5).reason, reason);
        else refuses('protocol-error', /reason code/, () => read(whole, 5));
      }
    }
  });

  it('MQTT 3.1 may set DUP on a repeated PUBREL', () => {
    assert.equal(read(bytes('6a 02 00 05'), 3).packetId, 5);
  });

  const bad: [string, string, readonly (3 | 4 | 5)[], ErrorCode, RegExp][] = [
    ['a PUBACK with flags', '42 02 00 01', versions, 'malformed-packet', /PUBACK: reserved flags/],
    ['a PUBREL without its flags', '60 02 00 01', versions, 'malformed-packet', /PUBREL: reserved flags/],
    ['a PUBREL with DUP', '6a 02 00 01', [4, 5], 'malformed-packet', /PUBREL: reserved flags/],
    ['no packet identifier', '40 00', versions, 'malformed-packet', /packet identifier is cut off/],
    ['half a packet identifier', '50 01 00', versions, 'malformed-packet', /packet identifier is cut off/],
    ['packet identifier 0', '70 02 00 00', versions, 'protocol-error', /PUBCOMP: packet identifier is 0/],
    ['a reason before MQTT 5', '40 03 00 01 00', [3, 4], 'malformed-packet', /1 bytes follow/],
    ['bytes behind the properties', '40 05 00 01 00 00 00', [5], 'malformed-packet', /1 bytes follow/],
    ['properties cut off', '40 04 00 01 00 01', [5], 'malformed-packet', /properties is cut off/],
    [
      'a reason string twice',
      '40 0a 00 01 00 06 1f 00 00 1f 00 00',
      [5],
      'protocol-error',
      /reasonString stands twice/,
    ],
    ['a property of another packet', '40 06 00 01 00 02 01 00', [5], 'malformed-packet', /property 1 /],
  ];
  for (const [title, text, where, code, message] of bad) {
    it(`${title} is refused`, () => {
      for (const version of where) refuses(code, message, () => read(bytes(text), version));
    });
  }

  it('what is written reads back, in the shortest form', () => {
    const target = Buffer.alloc(10);
    for (const version of versions) {
      for (const type of types) {
        for (const reason of [0, type < 6 ? 0x97 : 0x92]) {
          const end = writeAck(target, 2, type, 0x8001, reason, version);
          const long = version === 5 && reason !== 0;
          assert.equal(end - 2, long ? maxAckBytes : 4);
          assert.deepEqual(read(target.subarray(2, end), version), { packetId: 0x8001, reason: long ? reason : 0 });
        }
      }
    }
  });
});
