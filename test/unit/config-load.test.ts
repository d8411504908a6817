import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BrokerError } from '../../src/base/errors.ts';
import type { ConfigFault } from '../../src/config/fault.ts';
import { loadConfig, resolveConfig, type Sources } from '../../src/config/load.ts';
import { temporaryFolder } from '../support/folder.ts';

function faultsOf(load: () => unknown): readonly ConfigFault[] {
  try {
    load();
  } catch (error) {
    assert.ok(error instanceof BrokerError);
    assert.equal(error.code, 'config-invalid');
    return error.cause as ConfigFault[];
  }
  assert.fail('the configuration was taken');
}

function faults(sources: Sources): readonly ConfigFault[] {
  return faultsOf(() => resolveConfig(sources));
}

function document(values: unknown): Sources {
  return { document: { name: 'swarmq.yaml', values } };
}

function problem(values: unknown): string {
  const [first, ...others] = faults(document(values));
  assert.deepEqual(others, []);
  return `${first?.path}: ${first?.value} ${first?.problem}`;
}

describe('the configuration', () => {
  it('is complete without any source', () => {
    const { config } = resolveConfig({});
    assert.equal(config.mqtt.maxPacketBytes, 1_048_576);
    assert.equal(config.redis.url, null);
    assert.deepEqual(config.listeners.map(({ url }) => url), ['mqtt://127.0.0.1:1883']);
    assert.match(config.node.id, /^[A-Za-z0-9._-]+$/);
    assert.notEqual(resolveConfig({}).config.node.id, config.node.id);
  });

  it('takes flags over environment over file over defaults, and knows where each value came from', () => {
    const { config, originOf } = resolveConfig({
      ...document({ mqtt: { maxInflight: 1, receiveMaximum: 1, maxTopicLevels: 1 } }),
      environment: { SWARMQ_MQTT_MAX_INFLIGHT: '2', SWARMQ_MQTT_RECEIVE_MAXIMUM: '2', PATH: '/bin' },
      flags: [{ path: 'mqtt.maxInflight', value: '3', name: '--set mqtt.maxInflight' }],
    });
    const { maxInflight, receiveMaximum, maxTopicLevels } = config.mqtt;
    assert.deepEqual([maxInflight, receiveMaximum, maxTopicLevels], [3, 2, 1]);
    assert.equal(originOf('mqtt.maxInflight'), 'flag --set mqtt.maxInflight');
    assert.equal(originOf('mqtt.receiveMaximum'), 'environment SWARMQ_MQTT_RECEIVE_MAXIMUM');
    assert.equal(originOf('mqtt.maxTopicLevels'), 'file swarmq.yaml');
    assert.equal(originOf('mqtt.maxPacketBytes'), 'default');
  });

  it('reads every kind of value from text', () => {
    const rule = { name: 'cars', filter: 'cars/+/#', topic: 'car.${topic[2]}' };
    const { config } = resolveConfig({
      environment: {
        SWARMQ_NODE_ID: 'n-1',
        SWARMQ_ALLOW_ANONYMOUS: 'true',
        SWARMQ_LISTENERS: 'mqtt://0.0.0.0, ws://[::1]:80',
        SWARMQ_KAFKA_BROKERS: 'k1:9092,k2:9092',
        SWARMQ_ADMIN_LISTEN: '[::]:9090',
        SWARMQ_REDIS_URL: 'rediss://user:secret@redis.example:6380/2',
        SWARMQ_BRIDGE_RULES: JSON.stringify([rule]),
        SWARMQ_BRIDGE_OUTBOX_WHEN_FULL: 'drop-oldest',
        SWARMQ_DRAIN_GRACE_MS: '0',
      },
    });
    assert.equal(config.node.id, 'n-1');
    assert.equal(config.allowAnonymous, true);
    assert.deepEqual(config.listeners.map(({ url }) => url), ['mqtt://0.0.0.0:1883', 'ws://[::1]:80/mqtt']);
    assert.deepEqual(config.kafka.brokers, ['k1:9092', 'k2:9092']);
    assert.deepEqual(config.admin.listen, { host: '::', port: 9090 });
    assert.deepEqual(config.bridge.rules, [{ ...rule, key: '${clientid}' }]);
    assert.equal(config.bridge.outbox.whenFull, 'drop-oldest');
    assert.equal(config.drain.graceMs, 0);
  });

  it('counts an empty variable and a key without a value as absent', () => {
    const { config, originOf } = resolveConfig({ ...document({ redis: null, kafka: { clientId: null } }), environment: { SWARMQ_REDIS_URL: '' } });
    assert.equal(config.redis.url, null);
    assert.equal(config.kafka.clientId, 'swarmq');
    assert.equal(originOf('redis.url'), 'default');
  });

  it('puts a password that is kept apart into the URL of Redis', () => {
    const { config } = resolveConfig({ environment: { SWARMQ_REDIS_URL: 'redis://bob@h:6379/1', SWARMQ_REDIS_PASSWORD: 'a@:/%b' } });
    assert.equal(config.redis.url, 'redis://bob:a%40%3A%2F%25b@h:6379/1');
  });

  it('leaves alone what Kubernetes sets for a Service named swarmq', () => {
    const environment = {
      SWARMQ_SERVICE_HOST: '10.0.0.1',
      SWARMQ_SERVICE_PORT: '1883',
      SWARMQ_SERVICE_PORT_MQTT: '1883',
      SWARMQ_PORT: 'tcp://10.0.0.1:1883',
      SWARMQ_PORT_1883_TCP: 'tcp://10.0.0.1:1883',
      SWARMQ_PORT_1883_TCP_PROTO: 'tcp',
      SWARMQ_PORT_1883_TCP_PORT: '1883',
      SWARMQ_PORT_1883_TCP_ADDR: '10.0.0.1',
    };
    resolveConfig({ environment });
    assert.equal(faults({ environment: { SWARMQ_PORT: '1883' } }).length, 1);
  });

  it('comes from YAML and JSON files, and from the one that SWARMQ_CONFIG names', () => {
    const folder = temporaryFolder('config');
    try {
      const yaml = join(folder.path, 'a.yaml');
      const json = join(folder.path, 'b.json');
      writeFileSync(yaml, '# nodes\nnode:\n  id: a\nlisteners:\n  - mqtt://127.0.0.1:1\n  - url: ws://127.0.0.1:2\n    maxConnections: 5\n');
      writeFileSync(json, '{\n\t"node": { "id": "b" }\n}');
      const { config, originOf } = loadConfig({ file: yaml, environment: { SWARMQ_CONFIG: json } });
      assert.equal(config.node.id, 'a');
      assert.equal(originOf('node.id'), `file ${yaml}`);
      assert.deepEqual(config.listeners.map(({ maxConnections }) => maxConnections), [0, 5]);
      assert.equal(loadConfig({ environment: { SWARMQ_CONFIG: json } }).config.node.id, 'b');
    } finally {
      folder.remove();
    }
  });

  it('is refused when the file is absent, no YAML, or no object; the message never quotes the file', () => {
    const folder = temporaryFolder('config');
    try {
      const file = join(folder.path, 'c.yaml');
      const load = (): ConfigFault | undefined => faultsOf(() => loadConfig({ file, environment: {} }))[0];
      assert.match(load()?.problem ?? '', /cannot be read: ENOENT/);
      writeFileSync(file, 'redis:\n  url: "redis://u:hidden@h\n  prefix: [');
      assert.match(load()?.problem ?? '', /neither YAML nor JSON at line \d/);
      assert.doesNotMatch(load()?.problem ?? '', /hidden/);
      writeFileSync(file, 'redis://u:hidden@h');
      assert.match(load()?.problem ?? '', /holds no options/);
      writeFileSync(file, 'log:\n  level: info\nlog:\n  level: warn\n');
      assert.match(load()?.problem ?? '', /unique/);
    } finally {
      folder.remove();
    }
  });
});

describe('a faulty configuration', () => {
  it('is told with all its faults at once, each with its path, origin, value and advice', () => {
    const sources: Sources = {
      ...document({
        mqtt: { maxPacketSize: 4, receiveMaximum: 0 },
        redis: 4,
        bridge: { rules: [{ name: 'a b', filter: 'a/#/b', tpic: 3 }] },
      }),
      environment: { SWARMQ_REDIS_PASWORD: 'x', SWARMQ_DRAIN_PER_SECOND: 'many' },
      flags: [{ path: 'listeners', value: ['mqtt://127.0.0.1:99999'], name: '--listen' }, { path: 'nodeid', value: 'n', name: '--set nodeid' }],
    };
    assert.deepEqual(faults(sources).map(({ path, origin }) => [path, origin]), [
      ['mqtt.maxPacketSize', 'file swarmq.yaml'],
      ['redis', 'file swarmq.yaml'],
      ['', 'environment SWARMQ_REDIS_PASWORD'],
      ['nodeid', 'flag --set nodeid'],
      ['listeners[0].url', 'flag --listen'],
      ['bridge.rules[0].tpic', 'file swarmq.yaml'],
      ['bridge.rules[0].name', 'file swarmq.yaml'],
      ['bridge.rules[0].filter', 'file swarmq.yaml'],
      ['bridge.rules[0].topic', 'file swarmq.yaml'],
      ['mqtt.receiveMaximum', 'file swarmq.yaml'],
      ['drain.perSecond', 'environment SWARMQ_DRAIN_PER_SECOND'],
    ]);
    assert.throws(() => resolveConfig(sources), (error: Error) => error.message.split('\n').length === 12);
    assert.match(problem({ mqtt: { receiveMaximum: 0 } }), /^mqtt\.receiveMaximum: 0 is out of range: give a number that is between 1 and 65535$/);
  });

  it('names the nearest option for an unknown key and an unknown variable', () => {
    const near = (values: unknown): string => problem(values).replace(/^.*did you mean (.*)\?$/, '$1');
    assert.equal(near({ redis: { ulr: 'redis://h' } }), 'redis.url');
    assert.equal(near({ maxPacketBytes: 5 }), 'mqtt.maxPacketBytes');
    assert.equal(near({ listener: [] }), 'listeners');
    assert.equal(near({ listeners: [{ url: 'mqtt://127.0.0.1', tls: { certfile: 'x' } }] }), 'tls.certFile');
    const [fault] = faults({ environment: { SWARMQ_REDIS_UR: 'x' } });
    assert.match(fault?.problem ?? '', /did you mean SWARMQ_REDIS_URL\?/);
    assert.doesNotMatch(problem({ bananas: 1 }), /did you mean/);
    assert.match(problem(JSON.parse('{"__proto__": 1}')), /there is no such option/);
  });

  it('never shows a secret, not even under a mistyped name or in a malformed URL', () => {
    const secret = 'wonder/land:1@2';
    const values = { redis: { url: `redis//user:${secret}@h`, password: 5, pasword: secret }, kafka: { brokers: [`kafka://u:${secret}@h:1`] } };
    const text = JSON.stringify(faults(document(values)));
    for (const part of ['wonder', 'land', '1@2']) assert.doesNotMatch(text, new RegExp(part));
    assert.match(text, /\(hidden\)/);
  });

  it('has values of the wrong kind', () => {
    assert.match(problem({ node: { id: 5 } }), /^node\.id: 5 is not text: put it in quotes/);
    assert.match(problem({ node: { id: 'a/b' } }), /is no node id/);
    assert.match(problem({ mqtt: { maxInflight: '1e3' } }), /is no whole number/);
    assert.match(problem({ mqtt: { maxInflight: 1.5 } }), /is no whole number/);
    assert.match(problem({ allowAnonymous: 'yes' }), /"yes" is neither true nor false/);
    assert.match(problem({ log: { level: 'inof' } }), /did you mean info\?/);
    assert.match(problem({ admin: { listen: '9090' } }), /is no address/);
    assert.match(problem({ kafka: { brokers: 9092 } }), /is no list/);
    assert.match(problem({ kafka: { brokers: ['k:0'] } }), /^kafka\.brokers\[0\]: "k:0" is no address/);
    assert.match(problem({ listeners: { url: 'x' } }), /is no list: begin each entry with a dash/);
    assert.match(problem({ listeners: [5] }), /^listeners\[0\]: 5 is no object with url/);
    assert.match(problem({ mqtt: 5 }), /is a group/);
    assert.match(problem({ redis: { url: 'http://h' } }), /is no Redis URL/);
    assert.match(problem({ redis: { url: 'redis://h/db' } }), /names no database/);
    assert.match(JSON.stringify(faults({ environment: { SWARMQ_BRIDGE_RULES: 'cars' } })), /is no JSON list/);
  });

  it('has values that do not fit together', () => {
    const rule = { name: 'r', filter: 'a/#', topic: 't' };
    assert.match(problem({ listeners: [] }), /lets nobody connect/);
    assert.match(problem({ listeners: ['mqtt://127.0.0.1', 'mqtt://127.0.0.1:1883'] }), /^listeners\[1\]\.url.*already/);
    assert.match(problem({ bridge: { rules: [rule] }, redis: { url: 'redis://h' } }), /^kafka\.brokers: \[\] is empty, but bridge\.rules need Kafka/);
    assert.match(problem({ bridge: { rules: [rule] }, kafka: { brokers: ['k:1'] } }), /^redis\.url: null is not given/);
    assert.match(problem({ cluster: { leaseMs: 1000, renewMs: 501 } }), /give at most 500/);
    assert.match(problem({ session: { maxExpirySeconds: 5 } }), /give at most 5/);
    assert.match(problem({ redis: { password: 'x' } }), /given without redis\.url/);
    assert.match(problem({ redis: { password: 'x', url: 'redis://:y@h' } }), /given twice/);
    assert.match(problem({ kafka: { tls: { caFile: 'ca.pem' } } }), /^kafka\.tls\.enabled: false leaves the files of kafka\.tls unused/);
    assert.match(problem({ kafka: { tls: { enabled: true, certFile: 'a.pem' } } }), /^kafka\.tls\.keyFile: null is not given/);
    assert.match(problem({ kafka: { sasl: { mechanism: 'plain', username: 'u' } } }), /^kafka\.sasl\.password: .*plain needs it/);
    assert.match(problem({ kafka: { sasl: { username: 'u' } } }), /^kafka\.sasl\.mechanism: "none" leaves/);
    assert.match(problem({ kafka: { sasl: { mechanism: 'oauthbearer', username: 'u', password: 'p' } } }), /^kafka\.sasl\.tokenUrl: null is not given/);
    assert.match(problem({ kafka: { sasl: { mechanism: 'plain', username: 'u', password: 'p', tokenUrl: 'https://t/' } } }), /is for oauthbearer/);
    const both = { redis: { url: 'redis://h' }, kafka: { brokers: ['k:1'] } };
    assert.match(problem({ ...both, bridge: { rules: [rule, rule] } }), /^bridge\.rules\[1\]\.name: "r" is the name of an earlier rule/);
    assert.match(problem({ ...both, bridge: { rules: [{ ...rule, key: '${topic[2]}' }] } }), /asks for \$\{topic\[2\]\}.* no more levels than 1/);
    assert.match(problem({ ...both, bridge: { rules: [{ ...rule, topic: '${vin}' }] } }), /is no Kafka topic/);
    assert.match(problem({ ...both, bridge: { rules: [{ ...rule, filter: '$share/g/a' }] } }), /\$share is not for bridges/);
  });

  it('is not blamed for what another fault causes', () => {
    const [fault, ...others] = faults(document({
      bridge: { rules: [{ name: 'r', filter: 'a', topic: 't' }] },
      redis: { url: 'redis://h' },
      kafka: { brokers: ['nowhere'] },
    }));
    assert.equal(fault?.path, 'kafka.brokers[0]');
    assert.deepEqual(others, []);
  });

  it('listens for other machines without authentication, unless allowAnonymous is set', () => {
    for (const host of ['0.0.0.0', '[::]', '192.168.1.5', 'broker.example', '127.0.0.1.example']) {
      const listeners = [`mqtt://${host}`];
      assert.match(problem({ listeners }), /allowAnonymous/, host);
      resolveConfig(document({ listeners, allowAnonymous: true }));
    }
    for (const host of ['127.0.0.1', '127.8.9.1', 'localhost', '[::1]']) resolveConfig(document({ listeners: [`mqtt://${host}`] }));
  });
});
