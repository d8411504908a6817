import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { randomFrom } from '../support/codec.ts';
import { eventually } from '../support/eventually.ts';
import type { ProtocolVersion } from '../support/packets.ts';
import { startCanary } from './canary.ts';
import { closedBy, counted, forEachStore, versions } from './conversation.ts';

const packets = 20_000;
const perConnection = 10;
const atOnce = 16;
const seed = Number(process.env['SWARMQ_TEST_SEED'] ?? 20);

const will = { topic: 'fuzz/will', payload: Buffer.from('gone'), qos: 1 as const, retain: true };
const properties = { contentType: 'text/plain', correlationData: Buffer.from('id'), userProperties: { a: ['1', '2'] }, messageExpiryInterval: 5, topicAlias: 3 };

/** One valid packet of each kind that a client sends, and some that only servers send. */
function seeds(version: ProtocolVersion): Buffer[] {
  const v5 = version === 5;
  const kinds: Packet[] = [
    { cmd: 'publish', topic: 'fuzz/a', payload: 'hello', qos: 0, dup: false, retain: false, ...(v5 ? { properties } : {}) },
    { cmd: 'publish', topic: 'fuzz/b', payload: 'hello', qos: 1, messageId: 5, dup: false, retain: true },
    { cmd: 'publish', topic: 'fuzz/c', payload: Buffer.alloc(300), qos: 2, messageId: 6, dup: true, retain: false, ...(v5 ? { properties } : {}) },
    { cmd: 'puback', messageId: 1 },
    { cmd: 'pubrec', messageId: 1 },
    { cmd: 'pubrel', messageId: 6 },
    { cmd: 'pubcomp', messageId: 1 },
    { cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: 'fuzz/#', qos: 2 }, { topic: 'fuzz/+/x', qos: 1 }], ...(v5 ? { properties: { subscriptionIdentifier: 9 } } : {}) },
    { cmd: 'unsubscribe', messageId: 8, unsubscriptions: ['fuzz/+/x', 'fuzz/none'] },
    { cmd: 'pingreq' },
    { cmd: 'suback', messageId: 7, granted: [1] },
  ];
  return kinds.map((packet) => generate(packet, { protocolVersion: version }));
}

function connectPacket(version: ProtocolVersion, clientId: string): Buffer {
  const protocolId = version === 3 ? 'MQIsdp' : 'MQTT';
  const packet = { cmd: 'connect', protocolId, protocolVersion: version, clientId, clean: true, keepalive: 60, will, username: 'u', password: Buffer.from('p') } as const;
  return generate(packet, { protocolVersion: version });
}

/** Changes, adds, takes away, doubles or cuts some bytes, or leaves them. */
function mutate(packet: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(packet);
  for (let changes = random(4); changes > 0; changes--) {
    const at = random(bytes.length || 1);
    switch (random(6)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        if (bytes.length > 0) bytes[at]! ^= 1 << random(8);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(random(256), random(256)), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(3))]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1))]);
        break;
      default:
        bytes = bytes.subarray(0, at);
    }
  }
  return bytes;
}

/** What strange bytes may be refused for; anything else is a fault of ours. */
const plausible = [
  'client',
  'malformed-packet',
  'protocol-error',
  'unsupported-protocol',
  'invalid-utf8',
  'packet-too-large',
  'topic-name-invalid',
  'topic-filter-invalid',
  'topic-alias-invalid',
  'client-id-invalid',
  'bad-authentication-method',
  'not-authorized',
  'taken-over',
  'connection-lost',
];

forEachStore(`${packets} mutated packets`, (node) => {
  it(`end connections for plausible reasons, and nothing else (seed ${seed})`, async function () {
    this.timeout(120_000);
    const random = randomFrom(seed);
    const canary = await startCanary(node().port);
    let sent = 0;
    const converse = async (): Promise<void> => {
      const version = versions[random(3)]!;
      const connect = connectPacket(version, `fuzz-${random(40)}`);
      const bytes = [random(10) === 0 ? mutate(connect, random) : connect];
      const kinds = seeds(version);
      for (let i = 0; i < perConnection; i++) bytes.push(mutate(kinds[random(kinds.length)]!, random));
      sent += bytes.length;
      const socket = connectTcp(node().port, '127.0.0.1');
      // a reset is an answer too
      socket.on('error', () => undefined);
      socket.resume();
      const closed = once(socket, 'close');
      // in one piece, or cut anywhere
      const whole = Buffer.concat(bytes);
      const cut = random(whole.length);
      socket.write(whole.subarray(0, cut));
      if (random(2) === 0) await new Promise(setImmediate);
      socket.end(whole.subarray(cut));
      await closed;
    };
    const lane = async (): Promise<void> => {
      while (sent < packets) await converse();
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    assert.ok(node().isRunning);
    await eventually(async () => (await counted(node(), 'swarmq_connections')) === 2, { withinMs: 10_000, what: 'end of all connections but the canary' });
    await eventually(async () => (await counted(node(), 'swarmq_sessions')) === 2, { withinMs: 10_000, what: 'end of all sessions but the canary\'s' });
    await canary.stop();
    assert.equal(await counted(node(), 'swarmq_commit_depth'), 0);
    const pages = await Promise.all(node().nodes.map(async ({ adminUrl }) => (await fetch(`${adminUrl}/metrics`)).text()));
    const reasons = Array.from(pages.join('').matchAll(/swarmq_connections_closed_total\{reason="([^"]+)"/g), ([, reason]) => reason!);
    assert.deepEqual(reasons.filter((reason) => !plausible.includes(reason)), []);
    assert.ok((await closedBy(node(), 'malformed-packet')) > 100);
    assert.ok(canary.count > 20, `the canary exchanged ${canary.count} messages`);
  });
});
