import assert from 'node:assert/strict';
import { Body } from '../../src/codec/body.ts';
import {
  encodeProperties,
  encodePropertyBlock,
  readProperties,
  type PropertyPlace,
} from '../../src/codec/properties.ts';
import { bytes, refuses } from '../support/codec.ts';

/** Table 2-4 of MQTT 5, packet by packet: the identifiers that may stand there. */
const allowed: Record<PropertyPlace, string> = {
  connect: '11 15 16 17 19 21 22 26 27',
  connack: '11 12 13 15 16 1a 1c 1f 21 22 24 25 26 27 28 29 2a',
  publish: '01 02 03 08 09 0b 23 26',
  will: '01 02 03 08 09 18 26',
  puback: '1f 26',
  pubrec: '1f 26',
  pubrel: '1f 26',
  pubcomp: '1f 26',
  subscribe: '0b 26',
  suback: '1f 26',
  unsubscribe: '26',
  unsuback: '1f 26',
  disconnect: '11 1c 1f 26',
  auth: '15 16 1f 26',
};

/** A value of each property, by its type in table 2-4. */
const values: [ids: string, value: string][] = [
  ['01 17 19 24 25 28 29 2a', '01'],
  ['13 21 22 23', '00 07'],
  ['02 11 18 27', '00 00 00 07'],
  ['0b', '80 01'],
  ['03 08 12 15 1a 1c 1f', "00 02 'ab'"],
  ['09 16', '00 02 00 ff'],
  ['26', "00 01 'k' 00 01 'v'"],
];

function valueOf(id: number): Buffer {
  const found = values.find(([ids]) => bytes(ids).includes(id));
  return bytes(found?.[1] ?? '');
}

function block(...properties: Buffer[]): Buffer {
  const body = Buffer.concat(properties);
  return Buffer.concat([Buffer.of(body.length), body]);
}

function read(place: PropertyPlace, whole: Buffer) {
  return readProperties(new Body('X', whole, 0, whole.length), place);
}

describe('codec: properties', () => {
  for (const place of Object.keys(allowed) as PropertyPlace[]) {
    it(`${place} takes the properties that table 2-4 gives it, and no other`, () => {
      for (let id = 0; id < 128; id++) {
        const one = Buffer.concat([Buffer.of(id), valueOf(id)]);
        if (bytes(allowed[place]).includes(id))
          assert.equal(Object.keys(read(place, block(one))).length, 1, `property ${id}`);
        else
          refuses('malformed-packet', new RegExp(`X: property ${id} does not belong here`), () =>
            read(place, block(one)),
          );
      }
    });

    it(`${place} takes each property once, user properties any number of times`, () => {
      for (const id of bytes(allowed[place])) {
        const one = Buffer.concat([Buffer.of(id), valueOf(id)]);
        if (id === 0x26) assert.equal(read(place, block(one, one)).userProperties?.length, 2);
        else refuses('protocol-error', /stands twice/, () => read(place, block(one, one)));
      }
    });

    it(`${place} refuses each property when it is cut off, and writes what it reads`, () => {
      for (const id of bytes(allowed[place])) {
        const one = Buffer.concat([Buffer.of(id), valueOf(id)]);
        for (let size = 1; size < one.length; size++) {
          refuses('malformed-packet', /cut off/, () => read(place, block(one.subarray(0, size))));
        }
        assert.deepEqual(encodePropertyBlock(read(place, block(one))), block(one));
      }
    });
  }

  it('none are no bytes, and a block of them one', () => {
    assert.equal(encodeProperties({}).length, 0);
    assert.deepEqual(encodePropertyBlock({ reasonString: undefined }), bytes('00'));
  });

  it('user properties keep their order and their doubles', () => {
    const userProperties: [string, string][] = [
      ['b', '1'],
      ['a', '2'],
      ['b', '1'],
      ['', ''],
    ];
    assert.deepEqual(read('auth', encodePropertyBlock<'auth'>({ userProperties })), { userProperties });
  });

  it('a block of more than 127 bytes has a longer length', () => {
    const reasonString = 'x'.repeat(200);
    const whole = encodePropertyBlock<'disconnect'>({ reasonString });
    assert.deepEqual(whole.subarray(0, 5), bytes('cb 01 1f 00 c8'));
    assert.deepEqual(read('disconnect', whole), { reasonString });
  });

  it('text that has no room in MQTT is a fault of the caller', () => {
    refuses('internal', /reasonString has 65536 bytes/, () =>
      encodeProperties<'disconnect'>({ reasonString: 'x'.repeat(65_536) }),
    );
  });
});
