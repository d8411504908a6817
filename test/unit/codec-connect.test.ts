import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/base/errors.ts';
import { noBytes } from '../../src/base/message.ts';
import { connectVersion, encodeConnack, readConnect, type Connect } from '../../src/codec/connect.ts';
import { bytes, framed, packet, refuses } from '../support/codec.ts';

function read(body: string, first = 0x10): Connect {
  return readWholeConnect(packet(first, bytes(body)));
}

function readWholeConnect(whole: Buffer): Connect {
  const { buffer, first, start, end } = framed(whole);
  return readConnect(buffer, first, start, end);
}

const v3 = "00 06 'MQIsdp' 03";
const v4 = "00 04 'MQTT' 04";
const v5 = "00 04 'MQTT' 05";
const client = "00 02 'c1'";

/** An MQTT 5 CONNECT with these properties. */
function withProperties(text: string): Buffer {
  const properties = bytes(text);
  return packet(
    0x10,
    Buffer.concat([bytes(`${v5} 02 00 3c`), Buffer.of(properties.length), properties, bytes(client)]),
  );
}

/** An MQTT 5 CONNECT whose will has these properties and this topic. */
function withWill(text: string, topic = "00 01 't'"): Buffer {
  const properties = bytes(text);
  const head = bytes(`${v5} 2e 00 3c 00 ${client}`);
  return packet(0x10, Buffer.concat([head, Buffer.of(properties.length), properties, bytes(`${topic} 00 03 'bye'`)]));
}

const plain: Connect = {
  version: 4,
  clientId: 'c1',
  cleanStart: true,
  keepAliveSeconds: 60,
  username: null,
  password: null,
  will: null,
  sessionExpirySeconds: 0,
  receiveMaximum: 65_535,
  maximumPacketBytes: 0,
  topicAliasMaximum: 0,
  requestResponseInformation: false,
  requestProblemInformation: true,
  userProperties: [],
  authenticationMethod: null,
  authenticationData: null,
  bridge: false,
};

describe('codec: CONNECT', () => {
  it('a plain one is read in each version', () => {
    assert.deepEqual(read(`${v3} 02 00 3c ${client}`), { ...plain, version: 3 });
    assert.deepEqual(read(`${v4} 02 00 3c ${client}`), plain);
    assert.deepEqual(read(`${v5} 02 00 3c 00 ${client}`), { ...plain, version: 5 });
  });

  it('will, user name and password are read', () => {
    const got = read(`${v4} f4 00 00 ${client} 00 01 't' 00 03 'bye' 00 01 'u' 00 02 ff 00`);
    assert.deepEqual(got, {
      ...plain,
      cleanStart: false,
      keepAliveSeconds: 0,
      username: 'u',
      password: bytes('ff 00'),
      will: {
        topic: 't',
        payload: Buffer.from('bye'),
        qos: 2,
        retain: true,
        delaySeconds: 0,
        expirySeconds: -1,
        payloadFormat: 0,
        properties: noBytes,
      },
    });
  });

  it('what is read does not change with the chunk it came in', () => {
    const whole = packet(0x10, bytes(`${v4} c6 00 00 ${client} 00 01 't' 00 03 'bye' 00 01 'u' 00 01 'p'`));
    const got = readWholeConnect(whole);
    whole.fill(0);
    assert.equal(got.will?.payload.toString(), 'bye');
    assert.equal(got.password?.toString(), 'p');
  });

  it('all properties of MQTT 5 are read, user properties in their order', () => {
    const got = readWholeConnect(
      withProperties(
        "11 ff ff ff ff 21 00 0a 27 00 01 00 00 22 00 05 19 01 17 00 15 00 01 'm' 16 00 01 ff " +
          "26 00 01 'b' 00 01 '1' 26 00 01 'a' 00 01 '2' 26 00 01 'b' 00 01 '3'",
      ),
    );
    assert.deepEqual(got, {
      ...plain,
      version: 5,
      sessionExpirySeconds: 0xffffffff,
      receiveMaximum: 10,
      maximumPacketBytes: 65_536,
      topicAliasMaximum: 5,
      requestResponseInformation: true,
      requestProblemInformation: false,
      authenticationMethod: 'm',
      authenticationData: bytes('ff'),
      userProperties: [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ],
    });
  });

  it('the will of MQTT 5 has delay and expiry, and properties that travel', () => {
    const travelling = "01 01 03 00 01 'x' 08 00 01 'r' 09 00 01 00 26 00 01 'b' 00 01 '1' 26 00 01 'a' 00 01 '2'";
    const { will } = readWholeConnect(withWill(`18 00 00 00 0a ${travelling} 02 00 00 00 3c`));
    assert.deepEqual(will, {
      topic: 't',
      payload: Buffer.from('bye'),
      qos: 1,
      retain: true,
      delaySeconds: 10,
      expirySeconds: 60,
      payloadFormat: 1,
      properties: bytes(travelling),
    });
  });

  it('a bridge of MQTT 3 announces itself by bit 7 of the level', () => {
    assert.deepEqual(read(`00 06 'MQIsdp' 83 02 00 3c ${client}`), { ...plain, version: 3, bridge: true });
    assert.deepEqual(read(`00 04 'MQTT' 84 02 00 3c ${client}`), { ...plain, bridge: true });
  });

  it('an empty client identifier is for the server to choose, where the version lets it', () => {
    assert.equal(read(`${v4} 02 00 3c 00 00`).clientId, '');
    assert.equal(read(`${v5} 00 00 3c 00 00 00`).clientId, '');
    refuses('client-id-invalid', /empty/, () => read(`${v4} 00 00 3c 00 00`));
    refuses('client-id-invalid', /empty/, () => read(`${v3} 02 00 3c 00 00`));
  });

  it('MQTT 5 may send a password without a user name', () => {
    assert.equal(read(`${v5} 42 00 3c 00 ${client} 00 01 'p'`).password?.toString(), 'p');
  });

  it('MQTT 3.1 may announce a user name and a password that are not there, and sets unused bits as it likes', () => {
    assert.equal(read(`${v3} c2 00 3c ${client}`).username, null);
    assert.equal(read(`${v3} c2 00 3c ${client} 00 01 'u'`).username, 'u');
    assert.equal(read(`${v3} 3b 00 3c ${client}`).will, null);
  });

  const unsupported = [
    "00 04 'MQTT' 03",
    "00 04 'MQTT' 06",
    "00 04 'MQTT' 85",
    "00 06 'MQIsdp' 04",
    "00 04 'mqtt' 04",
    '00 00 04',
  ];
  for (const protocol of unsupported) {
    it(`protocol ${protocol} is not supported`, () => {
      refuses('unsupported-protocol', /CONNECT: protocol/, () => read(`${protocol} 02 00 3c ${client}`));
    });
  }

  const bad: [string, string, ErrorCode, RegExp][] = [
    ['an empty body', '', 'malformed-packet', /protocol name is cut off/],
    ['no level', "00 04 'MQTT'", 'malformed-packet', /protocol level is cut off/],
    ['a name that is no text', '00 02 ff fe 04', 'invalid-utf8', /protocol name/],
    ['no flags', v4, 'malformed-packet', /connect flags is cut off/],
    ['the reserved flag', `${v4} 03 00 3c ${client}`, 'malformed-packet', /reserved flag/],
    ['will QoS 3', `${v4} 1e 00 3c ${client} 00 01 't' 00 00`, 'malformed-packet', /will QoS is 3/],
    ['will QoS 3 in MQTT 3.1', `${v3} 1e 00 3c ${client} 00 01 't' 00 00`, 'malformed-packet', /will QoS is 3/],
    ['will QoS without will', `${v4} 0a 00 3c ${client}`, 'malformed-packet', /without a will/],
    ['will retain without will', `${v5} 22 00 3c 00 ${client}`, 'malformed-packet', /without a will/],
    ['a password without user name', `${v4} 42 00 3c ${client} 00 01 'p'`, 'malformed-packet', /password/],
    ['half a keep alive', `${v4} 02 00`, 'malformed-packet', /keep alive is cut off/],
    ['no client identifier', `${v4} 02 00 3c`, 'malformed-packet', /client identifier is cut off/],
    ['a client identifier that is no text', `${v4} 02 00 3c 00 01 ff`, 'invalid-utf8', /client identifier/],
    ['no will', `${v4} 06 00 3c ${client}`, 'malformed-packet', /will topic is cut off/],
    ['no will payload', `${v4} 06 00 3c ${client} 00 01 't'`, 'malformed-packet', /will payload is cut off/],
    ['an empty will topic', `${v4} 06 00 3c ${client} 00 00 00 00`, 'topic-name-invalid', /will topic/],
    ['a will topic with a wildcard', `${v4} 06 00 3c ${client} 00 01 '#' 00 00`, 'topic-name-invalid', /will topic/],
    ['no user name', `${v4} 82 00 3c ${client}`, 'malformed-packet', /user name is cut off/],
    ['no password', `${v4} c2 00 3c ${client} 00 01 'u'`, 'malformed-packet', /password is cut off/],
    ['a user name that is no text', `${v4} 82 00 3c ${client} 00 01 00`, 'invalid-utf8', /user name/],
    ['bytes behind the last field', `${v4} 02 00 3c ${client} 00`, 'malformed-packet', /1 bytes follow/],
    ['no property length', `${v5} 02 00 3c`, 'malformed-packet', /property length/],
  ];
  for (const [title, body, code, message] of bad) {
    it(`${title} is refused`, () => {
      refuses(code, message, () => read(body));
    });
  }

  it('flags of the fixed header are refused', () => {
    refuses('malformed-packet', /reserved flags/, () => read(`${v4} 02 00 3c ${client}`, 0x11));
  });

  const badProperties: [string, string, ErrorCode, RegExp][] = [
    ['receive maximum 0', '21 00 00', 'protocol-error', /receiveMaximum is 0/],
    ['maximum packet size 0', '27 00 00 00 00', 'protocol-error', /maximumPacketBytes is 0/],
    ['request problem information 2', '17 02', 'protocol-error', /requestProblemInformation is 2/],
    ['request response information 2', '19 02', 'protocol-error', /requestResponseInformation is 2/],
    ['authentication data without method', '16 00 00', 'protocol-error', /without a method/],
    ['session expiry twice', '11 00 00 00 01 11 00 00 00 01', 'protocol-error', /sessionExpirySeconds stands twice/],
    ['a will property outside the will', '18 00 00 00 01', 'malformed-packet', /property 24/],
    ['session expiry cut off', '11 00 00', 'malformed-packet', /sessionExpirySeconds is cut off/],
  ];
  for (const [title, properties, code, message] of badProperties) {
    it(`${title} is refused`, () => {
      refuses(code, message, () => readWholeConnect(withProperties(properties)));
    });
  }

  it('a response topic of the will with a wildcard is refused', () => {
    refuses('protocol-error', /responseTopic/, () => readWholeConnect(withWill("08 00 01 '+'")));
  });

  it('a refused CONNECT says in which version to answer it', () => {
    const answers: [string, 0 | 3 | 4 | 5][] = [
      [v3, 3],
      [v4, 4],
      [v5, 5],
      ["00 04 'MQTT' 03", 4],
      ["00 04 'MQTT' 06", 5],
      ["00 04 'MQTT' 84", 4],
      ["00 06 'MQIsdp' 83", 3],
      ["00 04 'HTTP' 04", 0],
      ["00 04 'MQTT'", 0],
      ['00', 0],
      ['', 0],
    ];
    for (const [body, version] of answers) {
      const { buffer, start, end } = framed(packet(0x10, bytes(body)));
      assert.equal(connectVersion(buffer, start, end), version, body);
    }
  });
});

describe('codec: CONNACK', () => {
  it('the bytes are those of the standard', () => {
    assert.deepEqual(encodeConnack({ sessionPresent: true, reason: 0 }, 4), bytes('20 02 01 00'));
    assert.deepEqual(encodeConnack({ sessionPresent: true, reason: 0 }, 5), bytes('20 03 01 00 00'));
    assert.deepEqual(
      encodeConnack({ sessionPresent: false, reason: 5, properties: { receiveMaximum: 1 } }, 4),
      bytes('20 02 00 05'),
    );
    assert.deepEqual(
      encodeConnack(
        { sessionPresent: false, reason: 0, properties: { receiveMaximum: 10, retainAvailable: false } },
        5,
      ),
      bytes('20 08 00 00 05 21 00 0a 25 00'),
    );
  });

  it('session present stands neither beside a refusal nor in MQTT 3.1', () => {
    assert.deepEqual(encodeConnack({ sessionPresent: true, reason: 0x87 }, 5), bytes('20 03 00 87 00'));
    assert.deepEqual(encodeConnack({ sessionPresent: true, reason: 0 }, 3), bytes('20 02 00 00'));
  });
});
