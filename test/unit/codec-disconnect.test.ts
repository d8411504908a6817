import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/base/errors.ts';
import { encodeAuth, readAuth } from '../../src/codec/auth.ts';
import { encodeDisconnect, readDisconnect } from '../../src/codec/disconnect.ts';
import { pingresp, readPingreq } from '../../src/codec/ping.ts';
import { bytes, readWhole, refuses, versions } from '../support/codec.ts';

const disconnect = (text: string, version: 3 | 4 | 5) => readWhole(readDisconnect, bytes(text), version);
const auth = (text: string, version: 3 | 4 | 5) => readWhole(readAuth, bytes(text), version);

describe('codec: DISCONNECT', () => {
  it('the short form is read in every version', () => {
    for (const version of versions) {
      assert.deepEqual(disconnect('e0 00', version), { reason: 0, sessionExpirySeconds: -1, reasonString: null });
    }
  });

  it('MQTT 5 has a reason and properties', () => {
    assert.deepEqual(disconnect('e0 01 04', 5), { reason: 4, sessionExpirySeconds: -1, reasonString: null });
    assert.deepEqual(disconnect("e0 12 00 10 11 00 00 00 00 1f 00 01 'x' 26 00 01 'k' 00 01 'v'", 5), {
      reason: 0,
      sessionExpirySeconds: 0,
      reasonString: 'x',
    });
  });

  it('only the reasons of a client are taken', () => {
    const allowed = [0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    for (let reason = 0; reason < 256; reason++) {
      const text = `e0 01 ${reason.toString(16).padStart(2, '0')}`;
      if (allowed.includes(reason)) assert.equal(disconnect(text, 5).reason, reason);
      else refuses('protocol-error', /reason code/, () => disconnect(text, 5));
    }
  });

  const bad: [string, string, 3 | 4 | 5, ErrorCode, RegExp][] = [
    ['flags', 'e1 00', 4, 'malformed-packet', /reserved flags/],
    ['a body before MQTT 5', 'e0 01 00', 4, 'malformed-packet', /1 bytes follow/],
    ['a body in MQTT 3.1', 'e0 01 00', 3, 'malformed-packet', /1 bytes follow/],
    ['properties cut off', 'e0 03 00 05 11', 5, 'malformed-packet', /cut off/],
    ['bytes behind the properties', 'e0 03 00 00 00', 5, 'malformed-packet', /follow/],
    ['session expiry twice', 'e0 0c 00 0a 11 00 00 00 01 11 00 00 00 01', 5, 'protocol-error', /twice/],
  ];
  for (const [title, text, version, code, message] of bad) {
    it(`${title} is refused`, () => {
      refuses(code, message, () => disconnect(text, version));
    });
  }

  it('what is written is the shortest form', () => {
    assert.deepEqual(encodeDisconnect(0), bytes('e0 00'));
    assert.deepEqual(encodeDisconnect(0x8e), bytes('e0 01 8e'));
    assert.deepEqual(encodeDisconnect(0x8b, 'bye'), bytes("e0 08 8b 06 1f 00 03 'bye'"));
    assert.deepEqual(encodeDisconnect(0x9d, undefined, 'n2'), bytes("e0 07 9d 05 1c 00 02 'n2'"));
    assert.deepEqual(encodeDisconnect(0, 'x'), bytes("e0 06 00 04 1f 00 01 'x'"));
  });
});

describe('codec: AUTH', () => {
  it('method, data and reason are read', () => {
    assert.deepEqual(auth("f0 0a 18 08 15 00 01 'm' 16 00 01 ff", 5), {
      reason: 0x18,
      method: 'm',
      data: bytes('ff'),
      reasonString: null,
      userProperties: [],
    });
  });

  it('what is written reads back', () => {
    const sent = {
      reason: 0x18,
      method: 'm',
      data: bytes('00 ff'),
      reasonString: 'why',
      userProperties: [['k', 'v']] as [string, string][],
    };
    assert.deepEqual(readWhole(readAuth, encodeAuth(sent), 5), sent);
    assert.deepEqual(
      encodeAuth({ reason: 0, method: 'm', data: null, reasonString: null, userProperties: [] }),
      bytes("f0 06 00 04 15 00 01 'm'"),
    );
  });

  const bad: [string, string, 4 | 5, ErrorCode, RegExp][] = [
    ['the packet before MQTT 5', "f0 06 18 04 15 00 01 'm'", 4, 'malformed-packet', /reserved/],
    ['flags', "f1 06 18 04 15 00 01 'm'", 5, 'malformed-packet', /reserved flags/],
    ['success, which only a server sends', 'f0 00', 5, 'protocol-error', /reason code 0x0 /],
    ['an unknown reason', "f0 06 1a 04 15 00 01 'm'", 5, 'protocol-error', /reason code/],
    ['no method', 'f0 02 19 00', 5, 'protocol-error', /method is missing/],
    ['no properties', 'f0 01 19', 5, 'protocol-error', /method is missing/],
    ['bytes behind the properties', "f0 07 18 04 15 00 01 'm' 00", 5, 'malformed-packet', /follow/],
  ];
  for (const [title, text, version, code, message] of bad) {
    it(`${title} is refused`, () => {
      refuses(code, message, () => auth(text, version));
    });
  }
});

describe('codec: PINGREQ', () => {
  it('two bytes, and an answer of two bytes', () => {
    const ping = (text: string) =>
      readWhole((_buffer, first, start, end, version) => readPingreq(first, start, end, version), bytes(text), 4);
    ping('c0 00');
    refuses('malformed-packet', /PINGREQ: reserved flags/, () => ping('c1 00'));
    refuses('malformed-packet', /PINGREQ: 1 bytes follow/, () => ping('c0 01 00'));
    assert.deepEqual(pingresp, bytes('d0 00'));
  });
});
