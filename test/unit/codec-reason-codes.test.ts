import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/base/errors.ts';
import { reasons } from '../../src/base/reasons.ts';
import { reasonIn, type RefusingPacket } from '../../src/codec/reason-codes.ts';

/** Which failures a server may tell in each packet, from the table of all reason codes [MQTT 5, 2.4, table 2-6]. */
const table: Readonly<Record<RefusingPacket, readonly number[]>> = {
  connack: [
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
  ],
  puback: [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  suback: [0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  disconnect: [
    0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d,
    0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
};

const packets = Object.keys(table) as RefusingPacket[];

describe('codec: reason codes', () => {
  it('whatever fails is told in each packet by a code that it may carry', () => {
    for (const packet of packets) {
      for (const [code, { v5 }] of Object.entries(reasons)) {
        assert.ok(table[packet].includes(reasonIn(packet, v5)), `${code} in ${packet}`);
      }
    }
  });

  it('a code that the packet knows is told as it is', () => {
    for (const packet of packets) for (const code of table[packet]) assert.equal(reasonIn(packet, code), code);
  });

  it('in place of one that it does not know stands the one nearest in meaning, or 0x80', () => {
    const told: [ErrorCode, RefusingPacket, number][] = [
      ['store-unavailable', 'disconnect', 0x89],
      ['store-unavailable', 'puback', 0x80],
      ['banned', 'suback', 0x87],
      ['bad-credentials', 'disconnect', 0x87],
      ['node-draining', 'connack', 0x88],
      ['taken-over', 'connack', 0x88],
      ['rate-exceeded', 'connack', 0x9f],
      ['qos-not-supported', 'suback', 0x80],
      ['topic-filter-invalid', 'connack', 0x80],
    ];
    for (const [code, packet, expected] of told) assert.equal(reasonIn(packet, reasons[code].v5), expected, `${code} in ${packet}`);
  });
});
