import assert from 'node:assert/strict';
import { BrokerError } from '../../src/base/errors.ts';
import { Message, noBytes } from '../../src/base/message.ts';
import { compileRules, toRecord } from '../../src/bridge/mapping.ts';
import { Packer } from '../../src/bridge/parcel.ts';
import { encodeProperties } from '../../src/codec/properties.ts';
import { encodeRecord } from '../../src/codec/record.ts';

const rule = { name: 'telemetry', filter: 'vehicles/+/telemetry', topic: 'fleet.${topic[2]}', key: '${clientid}' };

function published(topic: string, properties = noBytes): Message {
  return new Message(topic, Buffer.from('{"kmh":50}'), 1, false, properties, 0, 1_700_000_000_123, 'car-7');
}

describe('the rules of a bridge', () => {
  it('a message becomes a record with its payload, key, time and origin', () => {
    const [compiled] = compileRules([rule]);
    assert.ok(compiled);
    assert.deepEqual(toRecord(compiled, published('vehicles/VIN7/telemetry')), {
      topic: 'fleet.VIN7',
      key: 'car-7',
      value: Buffer.from('{"kmh":50}'),
      headers: {
        'mqtt-topic': 'vehicles/VIN7/telemetry',
        'mqtt-client-id': 'car-7',
        'mqtt-qos': '1',
        'mqtt-timestamp': '1700000000123',
      },
      timestamp: 1_700_000_000_123,
    });
  });

  it('user properties and the content type become headers that cannot pass for others', () => {
    const [compiled] = compileRules([rule]);
    assert.ok(compiled);
    const properties = encodeProperties<'publish'>({
      contentType: 'application/json',
      userProperties: [['trace', '1'], ['mqtt-client-id', 'car-8'], ['trace', '2'], ['trace', '3'], ['__proto__', 'x']],
    });
    const { headers } = toRecord(compiled, published('vehicles/VIN7/telemetry', properties));
    assert.equal(headers['mqtt-client-id'], 'car-7');
    assert.equal(headers['mqtt-content-type'], 'application/json');
    assert.deepEqual(headers['mqtt-user-trace'], ['1', '2', '3']);
    assert.equal(headers['mqtt-user-mqtt-client-id'], 'car-8');
    assert.equal(headers['mqtt-user-__proto__'], 'x');
  });

  it('a topic that Kafka has no name for is refused', () => {
    const [compiled] = compileRules([rule]);
    assert.ok(compiled);
    for (const level of ['ä', 'a b', '', 'x'.repeat(250)]) {
      const message = published(`vehicles/${level}/telemetry`);
      if (level === '') assert.equal(toRecord(compiled, message).topic, 'fleet.');
      else assert.throws(() => toRecord(compiled, message), { code: 'topic-name-invalid' });
    }
  });

  it('a fault names the rule and the place', () => {
    const refused = (rules: Parameters<typeof compileRules>[0], message: RegExp): void => {
      assert.throws(() => compileRules(rules), (error) => error instanceof BrokerError && error.code === 'config-invalid' && message.test(error.message));
    };
    refused([rule, { ...rule, name: 'b', key: '${vin}' }], /^bridge\.rules\[1\]\.key: at character 1: \$\{vin\} is unknown/);
    refused([rule, rule], /^bridge\.rules\[1\]\.name: telemetry stands twice/);
    refused([{ ...rule, filter: 'a/#/b' }], /^bridge\.rules\[0\]\.filter: "a\/#\/b" is no MQTT topic filter/);
    // `vehicles/#` lets `vehicles` in, which has no second level
    refused([{ ...rule, filter: 'vehicles/#' }], /asks for level 2, and the filter lets topics in that have 1$/);
    assert.equal(compileRules([{ ...rule, filter: 'vehicles/+/#' }]).length, 1);
  });
});

describe('a record that is not fit for its topic', () => {
  const told: [string, string, boolean][] = [];
  const packer = (deadLetterTopic: string): Packer =>
    new Packer({
      rules: compileRules([rule]),
      deadLetterTopic,
      now: () => 42,
      onPoison: (id, _rule, { code }, isLost) => told.push([id, code, isLost]),
    });
  beforeEach(() => {
    told.length = 0;
  });

  it('goes to the dead-letter topic as it is stored when it cannot be read', () => {
    const parcel = packer('dead').pack({ id: '1-0', rule: 'telemetry', record: Buffer.from('rubbish') });
    assert.equal(parcel?.stage, 'dead letter');
    assert.equal(parcel.record.topic, 'dead');
    assert.equal(parcel.record.timestamp, 42);
    assert.deepEqual(parcel.record.value, Buffer.from('rubbish'));
    assert.equal(parcel.record.headers['swarmq-error'], 'store-corrupt');
    assert.deepEqual(told, [['1-0', 'store-corrupt', false]]);
  });

  it('goes there when its rule is no more, or asks for a level that it lacks', () => {
    const record = encodeRecord(published('vehicles'));
    assert.equal(packer('dead').pack({ id: '1-0', rule: 'gone', record })?.record.headers['swarmq-error'], 'config-invalid');
    assert.equal(packer('dead').pack({ id: '2-0', rule: 'telemetry', record })?.record.headers['swarmq-error'], 'topic-name-invalid');
  });

  it('goes there whole when Kafka refuses it, then without its value, and then is given up', () => {
    const tooLarge = new BrokerError('packet-too-large', 'Kafka says MESSAGE_TOO_LARGE');
    const it = packer('dead');
    const parcel = it.pack({ id: '1-0', rule: 'telemetry', record: encodeRecord(published('vehicles/VIN7/telemetry')) });
    assert.equal(parcel?.stage, 'mapped');
    const letter = it.repack(parcel, tooLarge);
    assert.ok(letter);
    assert.equal(letter.record.value.toString(), '{"kmh":50}');
    assert.equal(letter.record.key, 'car-7');
    assert.equal(letter.record.headers['swarmq-kafka-topic'], 'fleet.VIN7');
    const notice = it.repack(letter, tooLarge);
    assert.equal(notice?.record.value.length, 0);
    assert.equal(notice.record.headers['swarmq-value-bytes'], '10');
    assert.equal(it.repack(notice, tooLarge), null);
    assert.deepEqual(told, [['1-0', 'packet-too-large', false], ['1-0', 'packet-too-large', true]]);
  });

  it('is given up at once without a dead-letter topic', () => {
    assert.equal(packer('').pack({ id: '1-0', rule: 'telemetry', record: Buffer.from('rubbish') }), null);
    assert.deepEqual(told, [['1-0', 'store-corrupt', true]]);
  });
});
