import assert from 'node:assert/strict';
import { generate, parser, type Packet } from 'mqtt-packet';
import { noBytes, type Qos } from '../../src/base/message.ts';
import { encodeAuth, readAuth } from '../../src/codec/auth.ts';
import { encodeConnack, readConnect } from '../../src/codec/connect.ts';
import { encodeDisconnect, readDisconnect } from '../../src/codec/disconnect.ts';
import { pingresp, readPingreq } from '../../src/codec/ping.ts';
import {
  newIncomingPublish,
  publishHeadBytes,
  readAck,
  readPublish,
  utf8Bytes,
  writeAck,
  writePublishHead,
} from '../../src/codec/publish.ts';
import { encodeSuback, encodeSubscriptionId, encodeUnsuback, readSubscribe, readUnsubscribe } from '../../src/codec/subscribe.ts';
import { framed, randomFrom, readWhole, versions } from '../support/codec.ts';

type Version = 3 | 4 | 5;

const rounds = 300;
const random = randomFrom(2026);
const flip = () => random(2) === 1;
const pick = <T>(...all: T[]): T => all[random(all.length)] as T;
const text = () => pick('', 'a', 'fleet/car', 'é', '\u{1f697}') + 'x'.repeat(random(5) === 0 ? random(400) : random(9));
const name = () => `t/${text()}`;
const data = () => Buffer.alloc(random(4) === 0 ? random(20_000) : random(40), random(256));
const packetId = () => 1 + random(65_535);
const qosAny = () => random(3) as Qos;

/** What mqtt-packet writes for this packet. */
function theirs(packet: object, version: Version): Buffer {
  return generate(packet as Packet, { protocolVersion: version });
}

/** What mqtt-packet reads in these bytes. */
function asTheySee(whole: Buffer, version: Version): Packet {
  const seen: Packet[] = [];
  const reader = parser({ protocolVersion: version });
  reader.on('packet', (one: Packet) => seen.push(one));
  reader.on('error', (error: Error) => assert.fail(error));
  reader.parse(whole);
  assert.equal(seen.length, 1);
  return seen[0] as Packet;
}

/** Some of these properties; mqtt-packet cannot hold two of one name. */
function some<T extends object>(all: T): Partial<T> {
  return Object.fromEntries(Object.entries(all).filter(flip)) as Partial<T>;
}

function each(title: string, run: (version: Version) => void): void {
  for (const version of versions) {
    it(`${title}, version ${version}`, () => {
      for (let round = 0; round < rounds; round++) run(version);
    });
  }
}

describe('codec: a second opinion, what mqtt-packet writes is read', () => {
  each('CONNECT', (version) => {
    const willProperties = some({
      willDelayInterval: random(1000),
      payloadFormatIndicator: flip(),
      messageExpiryInterval: random(1000),
      contentType: text(),
      responseTopic: name(),
      correlationData: data(),
    });
    const properties = some({
      sessionExpiryInterval: random(0xffffffff),
      receiveMaximum: packetId(),
      maximumPacketSize: 1 + random(0xfffffff),
      topicAliasMaximum: random(65_536),
      requestResponseInformation: flip(),
      requestProblemInformation: flip(),
      userProperties: { a: text(), b: text() },
      authenticationMethod: text(),
    });
    const will = { topic: name(), payload: data(), qos: qosAny(), retain: flip(), properties: willProperties };
    const sent = {
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clean: true,
      clientId: `c${text()}`,
      keepalive: random(65_536),
      username: `u${text()}`,
      password: Buffer.concat([Buffer.of(1), data()]),
      will: flip() ? will : undefined,
      properties,
    };
    const got = readWhole(readConnect, theirs(sent, version), version);
    const five = version === 5;
    assert.deepEqual(
      { ...got, will: null },
      {
        version,
        clientId: sent.clientId,
        cleanStart: true,
        keepAliveSeconds: sent.keepalive,
        username: sent.username,
        password: sent.password,
        will: null,
        sessionExpirySeconds: (five && properties.sessionExpiryInterval) || 0,
        receiveMaximum: (five && properties.receiveMaximum) || 65_535,
        maximumPacketBytes: (five && properties.maximumPacketSize) || 0,
        topicAliasMaximum: (five && properties.topicAliasMaximum) || 0,
        requestResponseInformation: (five && properties.requestResponseInformation) ?? false,
        requestProblemInformation: five ? (properties.requestProblemInformation ?? true) : true,
        userProperties: five ? Object.entries(properties.userProperties ?? {}) : [],
        authenticationMethod: five ? (properties.authenticationMethod ?? null) : null,
        authenticationData: null,
        bridge: false,
      },
    );
    assert.equal(got.will === null, sent.will === undefined);
    if (got.will === null) return;
    assert.equal(got.will.topic, will.topic);
    assert.deepEqual(got.will.payload, will.payload);
    assert.equal(got.will.qos, will.qos);
    assert.equal(got.will.retain, will.retain);
    assert.equal(got.will.delaySeconds, (five && willProperties.willDelayInterval) || 0);
    assert.equal(got.will.expirySeconds, five ? (willProperties.messageExpiryInterval ?? -1) : -1);
  });

  each('PUBLISH', (version) => {
    const qos = qosAny();
    const properties = some({
      payloadFormatIndicator: flip(),
      messageExpiryInterval: random(0xffffffff),
      topicAlias: packetId(),
      responseTopic: name(),
      correlationData: data(),
      userProperties: { a: text(), b: text() },
      contentType: text(),
    });
    const sent = {
      cmd: 'publish',
      topic: name(),
      payload: data(),
      qos,
      retain: flip(),
      dup: qos > 0 && flip(),
      messageId: qos > 0 ? packetId() : undefined,
      properties: version === 5 ? properties : undefined,
    };
    const { buffer, first, start, end } = framed(theirs(sent, version));
    const got = newIncomingPublish();
    readPublish(buffer, first, start, end, version, got);
    const five = version === 5;
    assert.deepEqual(
      { ...got, properties: noBytes },
      {
        topic: sent.topic,
        qos,
        retain: sent.retain,
        dup: sent.dup,
        packetId: sent.messageId ?? 0,
        topicAlias: (five && properties.topicAlias) || 0,
        expirySeconds: five ? (properties.messageExpiryInterval ?? -1) : -1,
        payloadFormat: five && properties.payloadFormatIndicator === true ? 1 : 0,
        properties: noBytes,
        payload: sent.payload,
      },
    );
  });

  each('PUBACK, PUBREC, PUBREL and PUBCOMP', (version) => {
    const cmd = pick('puback', 'pubrec', 'pubrel', 'pubcomp');
    const reasonCode = cmd === 'puback' || cmd === 'pubrec' ? pick(0, 0x80, 0x97) : pick(0, 0x92);
    const sent = {
      cmd,
      messageId: packetId(),
      reasonCode,
      properties: some({ reasonString: text(), userProperties: { a: text() } }),
    };
    const { buffer, first, start, end } = framed(theirs(sent, version));
    const got = { packetId: 0, reason: 0 };
    readAck(buffer, first, start, end, version, got);
    assert.deepEqual(got, { packetId: sent.messageId, reason: version === 5 ? reasonCode : 0 });
  });

  each('SUBSCRIBE', (version) => {
    const five = version === 5;
    const requests = Array.from({ length: 1 + random(5) }, () => ({
      filter: pick('#', '+/a', 'a/+/#', name()),
      qos: qosAny(),
      noLocal: five && flip(),
      retainAsPublished: five && flip(),
      retainHandling: five ? random(3) : 0,
    }));
    const sent = {
      cmd: 'subscribe',
      messageId: packetId(),
      subscriptions: requests.map((one) => ({
        topic: one.filter,
        qos: one.qos,
        nl: one.noLocal,
        rap: one.retainAsPublished,
        rh: one.retainHandling,
      })),
      properties: { subscriptionIdentifier: 1 + random(268_435_455), userProperties: { a: text() } },
    };
    assert.deepEqual(readWhole(readSubscribe, theirs(sent, version), version), {
      packetId: sent.messageId,
      subscriptionId: five ? sent.properties.subscriptionIdentifier : 0,
      userProperties: five ? Object.entries(sent.properties.userProperties) : [],
      requests,
    });
  });

  each('UNSUBSCRIBE', (version) => {
    const filters = Array.from({ length: 1 + random(5) }, () => pick('#', '+/a', name()));
    const sent = { cmd: 'unsubscribe', messageId: packetId(), unsubscriptions: filters };
    assert.deepEqual(readWhole(readUnsubscribe, theirs(sent, version), version), { packetId: sent.messageId, filters });
  });

  each('DISCONNECT and PINGREQ', (version) => {
    const properties = some({ sessionExpiryInterval: random(1000), reasonString: text() });
    const sent = { cmd: 'disconnect', reasonCode: pick(0, 4, 0x81), properties };
    const five = version === 5;
    assert.deepEqual(readWhole(readDisconnect, theirs(sent, version), version), {
      reason: five ? sent.reasonCode : 0,
      sessionExpirySeconds: five ? (properties.sessionExpiryInterval ?? -1) : -1,
      reasonString: five ? (properties.reasonString ?? null) : null,
    });
    const { first, start, end } = framed(theirs({ cmd: 'pingreq' }, version));
    readPingreq(first, start, end, version);
  });

  it('AUTH', () => {
    for (let round = 0; round < rounds; round++) {
      const properties = { authenticationMethod: text(), authenticationData: data(), userProperties: { a: text() } };
      const got = readWhole(readAuth, theirs({ cmd: 'auth', reasonCode: 0x19, properties }, 5), 5);
      assert.equal(got.method, properties.authenticationMethod);
      assert.deepEqual(got.data, properties.authenticationData);
      assert.deepEqual(got.userProperties, Object.entries(properties.userProperties));
    }
  });
});

/** Only the named fields of what mqtt-packet read. */
function fields(packet: Packet, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((field) => [field, (packet as unknown as Record<string, unknown>)[field]]));
}

describe('codec: a second opinion, what is written mqtt-packet reads', () => {
  each('PUBLISH', (version) => {
    const [topic, payload, qos, retain, id, expiry, alias] = [
      name(),
      data(),
      qosAny(),
      flip(),
      packetId(),
      random(1000),
      packetId(),
    ];
    const ids = version === 5 ? Buffer.concat([encodeSubscriptionId(7), encodeSubscriptionId(268_435_455)]) : noBytes;
    const size = utf8Bytes(topic);
    const head = publishHeadBytes(size, payload.length, 2, qos, version, expiry, ids, alias);
    const whole = Buffer.alloc(head + payload.length);
    const properties = Buffer.of(0x01, 0x01);
    writePublishHead(
      whole,
      0,
      topic,
      size,
      payload.length,
      properties,
      qos,
      retain,
      false,
      id,
      version,
      expiry,
      ids,
      alias,
    );
    payload.copy(whole, head);
    const seen = asTheySee(whole, version);
    assert.deepEqual(fields(seen, 'cmd', 'topic', 'qos', 'retain', 'dup', 'messageId', 'payload'), {
      cmd: 'publish',
      topic,
      qos,
      retain,
      dup: false,
      messageId: qos > 0 ? id : undefined,
      payload,
    });
    if (version !== 5) return;
    assert.deepEqual(fields(seen, 'properties')['properties'], {
      topicAlias: alias,
      messageExpiryInterval: expiry,
      subscriptionIdentifier: [7, 268_435_455],
      payloadFormatIndicator: true,
    });
  });

  each('PUBACK, PUBREC, PUBREL and PUBCOMP', (version) => {
    const type = pick(4, 5, 6, 7);
    const reason = type < 6 ? pick(0, 0x10, 0x97) : pick(0, 0x92);
    const id = packetId();
    const target = Buffer.alloc(5);
    const seen = asTheySee(target.subarray(0, writeAck(target, 0, type, id, reason, version)), version);
    assert.deepEqual(fields(seen, 'cmd', 'messageId', 'reasonCode'), {
      cmd: { 4: 'puback', 5: 'pubrec', 6: 'pubrel', 7: 'pubcomp' }[type],
      messageId: id,
      reasonCode: version === 5 ? reason : undefined,
    });
  });

  each('CONNACK, SUBACK, UNSUBACK and PINGRESP', (version) => {
    const connack = asTheySee(encodeConnack({ sessionPresent: true, reason: 0 }, version), version);
    assert.deepEqual(fields(connack, 'cmd', 'sessionPresent'), { cmd: 'connack', sessionPresent: version !== 3 });
    const id = packetId();
    const suback = asTheySee(encodeSuback(id, [0, 1, 2, 0x80], version), version);
    assert.deepEqual(fields(suback, 'cmd', 'messageId', 'granted'), {
      cmd: 'suback',
      messageId: id,
      granted: [0, 1, 2, 0x80],
    });
    const unsuback = asTheySee(encodeUnsuback(id, [0, 0x11], version), version);
    assert.deepEqual(fields(unsuback, 'cmd', 'messageId'), { cmd: 'unsuback', messageId: id });
    assert.equal(asTheySee(pingresp, version).cmd, 'pingresp');
  });

  it('CONNACK with every property', () => {
    const seen = asTheySee(
      encodeConnack(
        {
          sessionPresent: false,
          reason: 0x9d,
          properties: {
            sessionExpirySeconds: 0xffffffff,
            receiveMaximum: 10,
            maximumQos: 1,
            retainAvailable: false,
            maximumPacketBytes: 65_536,
            assignedClientId: 'assigned',
            topicAliasMaximum: 5,
            reasonString: 'moved',
            userProperties: [['k', 'v']],
            wildcardAvailable: true,
            subscriptionIdsAvailable: false,
            sharedAvailable: true,
            serverKeepAliveSeconds: 30,
            responseInformation: 'r/',
            serverReference: 'n2',
            authenticationMethod: 'm',
            authenticationData: Buffer.of(0, 255),
          },
        },
        5,
      ),
      5,
    );
    assert.deepEqual(fields(seen, 'properties')['properties'], {
      sessionExpiryInterval: 0xffffffff,
      receiveMaximum: 10,
      maximumQoS: 1,
      retainAvailable: false,
      maximumPacketSize: 65_536,
      assignedClientIdentifier: 'assigned',
      topicAliasMaximum: 5,
      reasonString: 'moved',
      userProperties: Object.assign(Object.create(null) as object, { k: 'v' }),
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: true,
      serverKeepAlive: 30,
      responseInformation: 'r/',
      serverReference: 'n2',
      authenticationMethod: 'm',
      authenticationData: Buffer.of(0, 255),
    });
    assert.deepEqual(fields(seen, 'reasonCode'), { reasonCode: 0x9d });
  });

  it('DISCONNECT and AUTH', () => {
    const bye = asTheySee(encodeDisconnect(0x8b, 'draining', 'n2'), 5);
    assert.deepEqual(fields(bye, 'cmd', 'reasonCode'), { cmd: 'disconnect', reasonCode: 0x8b });
    assert.deepEqual(fields(bye, 'properties')['properties'], { reasonString: 'draining', serverReference: 'n2' });
    const auth = asTheySee(
      encodeAuth({ reason: 0x18, method: 'm', data: Buffer.of(7), reasonString: null, userProperties: [] }),
      5,
    );
    assert.deepEqual(fields(auth, 'cmd', 'reasonCode'), { cmd: 'auth', reasonCode: 0x18 });
    assert.deepEqual(fields(auth, 'properties')['properties'], {
      authenticationMethod: 'm',
      authenticationData: Buffer.of(7),
    });
  });
});
