import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/base/errors.ts';
import {
  encodeSuback,
  encodeSubscriptionId,
  encodeUnsuback,
  readSubscribe,
  readUnsubscribe,
} from '../../src/codec/subscribe.ts';
import { bytes, packet, readWhole, refuses, versions } from '../support/codec.ts';

const subscribe = (body: string, version: 3 | 4 | 5, first = 0x82) =>
  readWhole(readSubscribe, packet(first, bytes(body)), version);
const unsubscribe = (body: string, version: 3 | 4 | 5, first = 0xa2) =>
  readWhole(readUnsubscribe, packet(first, bytes(body)), version);

describe('codec: SUBSCRIBE', () => {
  it('MQTT 3 asks for a QoS for each filter', () => {
    for (const version of [3, 4] as const) {
      assert.deepEqual(subscribe("00 0a 00 03 'a/+' 01 00 01 '#' 02", version), {
        packetId: 10,
        subscriptionId: 0,
        userProperties: [],
        requests: [
          { filter: 'a/+', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
          { filter: '#', qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        ],
      });
    }
  });

  it('MQTT 5 has options, an identifier and user properties', () => {
    assert.deepEqual(subscribe("00 0a 0a 0b ff 7f 26 00 01 'k' 00 01 'v' 00 01 'a' 2e 00 0b '$share/g/+/' 11", 5), {
      packetId: 10,
      subscriptionId: 16_383,
      userProperties: [['k', 'v']],
      requests: [
        { filter: 'a', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: '$share/g/+/', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 1 },
      ],
    });
  });

  it('MQTT 3.1 may set DUP on a repeated one, and bits that it does not use', () => {
    assert.equal(subscribe("00 01 00 01 'a' fd", 3, 0x8a).requests[0]?.qos, 1);
  });

  it('a broken $share is a filter like another before MQTT 5', () => {
    assert.equal(subscribe("00 01 00 08 '$share/g' 00", 4).requests[0]?.filter, '$share/g');
  });

  const none = (version: number) => (version === 5 ? '00' : '');
  const bad: [string, (version: number) => string, readonly (3 | 4 | 5)[], ErrorCode, RegExp][] = [
    [
      'packet identifier 0',
      (v) => `00 00 ${none(v)} 00 01 'a' 00`,
      versions,
      'protocol-error',
      /packet identifier is 0/,
    ],
    ['no body', () => '', versions, 'malformed-packet', /packet identifier is cut off/],
    ['an empty list', (v) => `00 01 ${none(v)}`, versions, 'protocol-error', /no topic filter/],
    ['an empty filter', (v) => `00 01 ${none(v)} 00 00 00`, versions, 'topic-filter-invalid', /empty/],
    ['a misplaced #', (v) => `00 01 ${none(v)} 00 03 '#/a' 00`, versions, 'topic-filter-invalid', /wildcard/],
    ['a misplaced +', (v) => `00 01 ${none(v)} 00 02 'a+' 00`, versions, 'topic-filter-invalid', /wildcard/],
    ['a filter that is no text', (v) => `00 01 ${none(v)} 00 01 ff 00`, versions, 'invalid-utf8', /topic filter/],
    ['a filter cut off', (v) => `00 01 ${none(v)} 00 05 'a'`, versions, 'malformed-packet', /topic filter is cut off/],
    ['no options', (v) => `00 01 ${none(v)} 00 01 'a'`, versions, 'malformed-packet', /options is cut off/],
    ['QoS 3 in MQTT 3', () => "00 01 00 01 'a' 03", [3, 4], 'malformed-packet', /QoS is 3/],
    ['QoS 3 in MQTT 5', () => "00 01 00 00 01 'a' 03", [5], 'protocol-error', /QoS is 3/],
    ['options before MQTT 5', () => "00 01 00 01 'a' 04", [4], 'malformed-packet', /QoS is 4/],
    ['reserved option bits', () => "00 01 00 00 01 'a' 40", [5], 'malformed-packet', /reserved bits/],
    ['retain handling 3', () => "00 01 00 00 01 'a' 30", [5], 'protocol-error', /retain handling/],
    ['no local on a shared subscription', () => "00 01 00 00 0a '$share/g/a' 04", [5], 'protocol-error', /no local/],
    ['a share without a filter', () => "00 01 00 00 08 '$share/g' 00", [5], 'topic-filter-invalid', /share/],
    ['a share without a name', () => "00 01 00 00 09 '$share//a' 00", [5], 'topic-filter-invalid', /share/],
    ['a share with a wildcard name', () => "00 01 00 00 0a '$share/+/a' 00", [5], 'topic-filter-invalid', /share/],
    ['subscription identifier 0', () => "00 01 02 0b 00 00 01 'a' 00", [5], 'protocol-error', /subscriptionId is 0/],
    [
      'two identifiers',
      () => "00 01 04 0b 01 0b 02 00 01 'a' 00",
      [5],
      'protocol-error',
      /subscriptionId stands twice/,
    ],
    [
      'an identifier too long',
      () => "00 01 06 0b ff ff ff ff 01 00 01 'a' 00",
      [5],
      'malformed-packet',
      /subscriptionId/,
    ],
    ['a property of another packet', () => "00 01 02 01 00 00 01 'a' 00", [5], 'malformed-packet', /property 1 /],
  ];
  for (const [title, body, where, code, message] of bad) {
    it(`${title} is refused`, () => {
      for (const version of where) refuses(code, message, () => subscribe(body(version), version));
    });
  }

  it('flags other than 0010 are refused', () => {
    for (const first of [0x80, 0x83, 0x8a]) {
      refuses('malformed-packet', /SUBSCRIBE: reserved flags/, () => subscribe("00 01 00 01 'a' 00", 4, first));
    }
  });
});

describe('codec: UNSUBSCRIBE', () => {
  it('filters are read in their order', () => {
    assert.deepEqual(unsubscribe("00 0a 00 03 'a/+' 00 01 '#'", 4), { packetId: 10, filters: ['a/+', '#'] });
    assert.deepEqual(unsubscribe("00 0a 07 26 00 01 'k' 00 01 'v' 00 01 'a'", 5), { packetId: 10, filters: ['a'] });
  });

  const bad: [string, string, 4 | 5, ErrorCode, RegExp][] = [
    ['packet identifier 0', "00 00 00 01 'a'", 4, 'protocol-error', /UNSUBSCRIBE: packet identifier is 0/],
    ['an empty list', '00 01', 4, 'protocol-error', /no topic filter/],
    ['an empty list with properties', '00 01 00', 5, 'protocol-error', /no topic filter/],
    ['an empty filter', '00 01 00 00', 4, 'topic-filter-invalid', /empty/],
    ['a broken filter', "00 01 00 02 'a#'", 4, 'topic-filter-invalid', /wildcard/],
    ['a broken share', "00 01 00 00 08 '$share/g'", 5, 'topic-filter-invalid', /share/],
    ['a filter cut off', '00 01 00 02 61', 4, 'malformed-packet', /cut off/],
    ['a subscription identifier', "00 01 02 0b 01 00 01 'a'", 5, 'malformed-packet', /property 11/],
  ];
  for (const [title, body, version, code, message] of bad) {
    it(`${title} is refused`, () => {
      refuses(code, message, () => unsubscribe(body, version));
    });
  }

  it('flags other than 0010 are refused', () => {
    refuses('malformed-packet', /UNSUBSCRIBE: reserved flags/, () => unsubscribe("00 01 00 01 'a'", 4, 0xa0));
  });
});

describe('codec: SUBACK and UNSUBACK', () => {
  it('MQTT 5 has a reason for each', () => {
    assert.deepEqual(encodeSuback(0x1234, [0, 2, 0x87], 5), bytes('90 06 12 34 00 00 02 87'));
    assert.deepEqual(encodeUnsuback(0x1234, [0, 0x11], 5), bytes('b0 05 12 34 00 00 11'));
  });

  it('MQTT 3 knows one failure of SUBACK, and no reason of UNSUBACK', () => {
    assert.deepEqual(encodeSuback(1, [0, 1, 2, 0x87, 0x80], 4), bytes('90 07 00 01 00 01 02 80 80'));
    assert.deepEqual(encodeUnsuback(1, [0x11], 4), bytes('b0 02 00 01'));
  });

  it('a long SUBACK has a long length', () => {
    const suback = encodeSuback(
      1,
      Array.from({ length: 300 }, () => 1),
      4,
    );
    assert.deepEqual(suback.subarray(0, 5), bytes('90 ae 02 00 01'));
    assert.equal(suback.length, 305);
  });

  it('a subscription identifier is the property as it stands in a PUBLISH', () => {
    assert.deepEqual(encodeSubscriptionId(1), bytes('0b 01'));
    assert.deepEqual(encodeSubscriptionId(268_435_455), bytes('0b ff ff ff 7f'));
  });
});
