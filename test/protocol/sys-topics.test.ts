import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { generate, type IPublishPacket } from 'mqtt-packet';
import { sysTopics } from '../../src/engine/sys-table.ts';
import { Broker } from '../../src/index.ts';
import { configOf } from '../support/engine-alone.ts';
import { eventually } from '../support/eventually.ts';
import type { TestNode } from '../support/node.ts';
import type { PacketClient } from '../support/packets.ts';
import { codeOf, enter, forEachVersion, lasting, leave, message, nodeFor, send, subscribe, take } from './conversation.ts';
import { serve } from './embedded.ts';

const { version: release } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/** What a new subscription is answered with: topic -> value. The answer to a PINGREQ behind it is its end. */
async function ask(node: TestNode, filter: string, version: 3 | 4 | 5 = 5): Promise<Map<string, string>> {
  const client = await enter(node, version);
  await subscribe(client, filter, 1);
  const values = await answers(client);
  await leave(client);
  return values;
}

async function answers(client: PacketClient): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  client.send({ cmd: 'pingreq' });
  for (;;) {
    const packet = await client.next();
    if (packet.cmd === 'pingresp' && values.size > 0) return values;
    if (packet.cmd === 'pingresp') {
      client.send({ cmd: 'pingreq' });
      continue;
    }
    const { topic, payload, qos, retain } = packet as IPublishPacket;
    assert.equal(qos, 0);
    // what comes at the interval is not
    if (retain) values.set(topic, payload.toString());
  }
}

const numbersOf = async (node: TestNode, names: readonly string[]): Promise<Record<string, number>> => {
  const values = await ask(node, '$SYS/broker/#');
  return Object.fromEntries(names.map((name) => [name, Number(values.get(`$SYS/broker/${name}`))]));
};

describe('The $SYS topics, asked for', () => {
  const node = nodeFor({ set: { 'sys.intervalSeconds': 3600 } });

  forEachVersion((version) => {
    it('answer a subscription with every value of the table, as retained ones', async () => {
      const values = await ask(node(), '$SYS/#', version);
      assert.deepEqual([...values.keys()].sort(), sysTopics.map(({ topic }) => topic.replace('${node}', node().id)).sort());
      assert.equal(values.get('$SYS/broker/version'), `swarmq version ${release}`);
      assert.match(values.get('$SYS/broker/uptime')!, /^\d+ seconds$/);
      assert.equal(values.get('$SYS/brokers'), node().id);
      assert.equal(values.get(`$SYS/brokers/${node().id}/version`), release);
      assert.match(values.get(`$SYS/brokers/${node().id}/datetime`)!, /^20\d\d-.*Z$/);
      assert.match(values.get('$SYS/broker/load/bytes/received/5min')!, /^\d+\.\d\d$/);
    });
  });

  it('follow retain handling: 2 asks for no answer, 1 for one the first time', async () => {
    const client = await enter(node(), 5);
    await subscribe(client, '$SYS/broker/version', 0, { rh: 2 });
    await client.expectQuiet();
    const other = await enter(node(), 5);
    await subscribe(other, '$SYS/broker/version', 0, { rh: 1 });
    await take(other, { topic: '$SYS/broker/version', retain: true });
    await subscribe(other, '$SYS/broker/version', 0, { rh: 1 });
    await other.expectQuiet();
  });

  it('are not sent for a subscription that has ended meanwhile [MQTT-3.10.4-2]', async () => {
    const client = await enter(node(), 4);
    const options = { protocolVersion: 4 };
    client.send(
      Buffer.concat([
        generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$SYS/#', qos: 0 }] }, options),
        generate({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['$SYS/#'] }, options),
      ]),
    );
    await client.expect({ cmd: 'suback' });
    let packet = await client.next();
    while (packet.cmd === 'publish') packet = await client.next();
    assert.equal(packet.cmd, 'unsuback');
    await client.expectQuiet();
  });
});

describe('The $SYS topics', () => {
  const node = nodeFor({ set: { 'sys.intervalSeconds': 1 } });

  it('are kept out of wildcards at the first level [MQTT-4.7.2-1]', async () => {
    const client = await enter(node(), 5);
    for (const filter of ['#', '+/broker/#', '+/#']) await subscribe(client, filter, 0);
    const watcher = await enter(node(), 5);
    await subscribe(watcher, '$SYS/broker/uptime', 0);
    for (let i = 0; i < 3; i++) await take(watcher, { topic: '$SYS/broker/uptime' });
    await client.expectQuiet();
  });

  it('cannot be written by clients', async () => {
    const client = await enter(node(), 5);
    client.send(message('$SYS/broker/uptime', '0 seconds', 1));
    assert.equal(codeOf((await client.expect({ cmd: 'puback' })) as object), 0x87);
  });

  it('are sent again at the interval when they have changed, and with the identifier of the subscription', async () => {
    const client = await enter(node(), 5);
    await subscribe(client, '$SYS/broker/+', 0, { properties: { subscriptionIdentifier: 7 } });
    const seen = new Map<string, Set<string>>();
    await eventually(async () => {
      const { topic, payload, retain, properties } = await take(client, {});
      assert.equal(properties?.subscriptionIdentifier, 7);
      if (topic === '$SYS/broker/uptime') assert.equal(retain, !seen.has(topic));
      seen.set(topic, (seen.get(topic) ?? new Set()).add(payload.toString()));
      return seen.get('$SYS/broker/uptime')?.size === 3;
    }, { what: 'three times' });
    assert.equal(seen.get('$SYS/broker/version')?.size, 1);
  });

  it('count the packets and bytes that go over the wire', async () => {
    const names = ['publish/messages/received', 'publish/messages/sent', 'publish/bytes/received', 'publish/bytes/sent', 'bytes/received', 'bytes/sent', 'messages/received', 'messages/sent'];
    const subscriber = await enter(node(), 5);
    await subscribe(subscriber, 'sys/count', 1);
    const publisher = await enter(node(), 5);
    const before = await numbersOf(node(), names);
    for (let i = 0; i < 10; i++) {
      await send(publisher, message('sys/count', 'x'.repeat(100), 1));
      await take(subscriber, {});
    }
    await subscriber.expectQuiet();
    const after = await numbersOf(node(), names);
    const grown = Object.fromEntries(names.map((name) => [name, after[name]! - before[name]!]));
    assert.equal(grown['publish/messages/received'], 10);
    assert.equal(grown['publish/bytes/received'], 1000);
    // what was asked about comes over the same wire
    assert.ok(grown['publish/messages/sent']! >= 10 && grown['publish/bytes/sent']! >= 1000);
    assert.ok(grown['bytes/received']! >= 10 * (2 + 11 + 3 + 100 + 4) && grown['bytes/received']! < 3000, `${grown['bytes/received']} bytes`);
    assert.ok(grown['messages/received']! >= 21 && grown['messages/received']! < 40, `${grown['messages/received']} packets`);
    assert.ok(grown['messages/sent']! > grown['publish/messages/sent']!);
  });

  it('count packets by their type', async () => {
    const prefix = `$SYS/brokers/${node().id}/metrics/packets`;
    const of = async (name: string): Promise<number> => Number((await ask(node(), `${prefix}/${name}`)).get(`${prefix}/${name}`));
    const before = { pubrel: await of('pubrel/received'), pubcomp: await of('pubcomp/sent'), ping: await of('pingreq/received'), bye: await of('disconnect/sent') };
    const client = await enter(node(), 5);
    await send(client, message('sys/types', 'x', 2));
    await send(client, message('sys/types', 'x', 2));
    client.send(message('sys/+', 'x', 0));
    await client.expect({ cmd: 'disconnect', reasonCode: 0x90 });
    assert.equal((await of('pubrel/received')) - before.pubrel, 2);
    assert.equal((await of('pubcomp/sent')) - before.pubcomp, 2);
    assert.equal((await of('disconnect/sent')) - before.bye, 1);
    assert.ok((await of('pingreq/received')) > before.ping);
  });

  it('count clients, subscriptions, shared ones too, and retained messages', async () => {
    const names = ['clients/connected', 'subscriptions/count', 'shared_subscriptions/count', 'retained messages/count'];
    const before = await numbersOf(node(), names);
    const clients = await Promise.all([1, 2, 3].map(() => enter(node(), 5)));
    const [first, second] = clients as [PacketClient, PacketClient];
    for (const filter of ['a', 'b/+', '$share/g/c']) await subscribe(first, filter, 0);
    await subscribe(first, 'a', 1);
    await subscribe(second, 'a', 0);
    await send(second, message('sys/retained', 'x', 1, { retain: true }));
    await eventually(async () => (await numbersOf(node(), names))['retained messages/count']! - before['retained messages/count']! === 1, { what: 'the retained one' });
    const during = await numbersOf(node(), names);
    assert.deepEqual(names.map((name) => during[name]! - before[name]!), [3, 4, 1, 1]);
    first.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a', 'nothing'] });
    await first.expect({ cmd: 'unsuback' });
    const less = await numbersOf(node(), names);
    assert.equal(less['subscriptions/count']! - before['subscriptions/count']!, 3);
    await send(second, message('sys/retained', '', 1, { retain: true }));
    for (const client of clients) await leave(client);
    await eventually(async () => {
      const after = await numbersOf(node(), names);
      return names.every((name) => after[name] === before[name]);
    }, { what: 'the figures of before' });
  });

  it('count what waits for clients, and what was dropped', async () => {
    const names = ['messages/stored', 'store/messages/bytes', 'publish/messages/dropped'];
    const slow = await enter(node(), 5, { properties: { receiveMaximum: 1, maximumPacketSize: 200 } });
    await subscribe(slow, 'sys/slow', 1);
    const publisher = await enter(node(), 5);
    const before = await numbersOf(node(), names);
    for (let i = 0; i < 5; i++) await send(publisher, message('sys/slow', 'x'.repeat(50), 1));
    await send(publisher, message('sys/slow', 'x'.repeat(250), 0));
    await eventually(async () => {
      const after = await numbersOf(node(), names);
      const [stored, bytes, dropped] = names.map((name) => after[name]! - before[name]!);
      // four behind the window, with their topics
      return stored === 5 && bytes! >= 200 && bytes! <= 300 && dropped === 1;
    }, { what: 'five that wait, and one that was dropped' });
    slow.destroy();
  });

  it('load averages rise with the traffic', async () => {
    const publisher = await enter(node(), 5);
    const name = '$SYS/broker/load/publish/received/1min';
    const before = Number((await ask(node(), name)).get(name));
    for (let i = 0; i < 200; i++) await send(publisher, message('sys/load', 'x', 0));
    await publisher.expectQuiet();
    await eventually(async () => Number((await ask(node(), name)).get(name)) > before + 50, { what: 'a higher load' });
  });

  it('outlive a reconnect of a lasting session as subscriptions, without anything queued', async () => {
    const session = { ...lasting(5), clientId: 'sys-lasting' };
    const client = await enter(node(), 5, session);
    await subscribe(client, '$SYS/broker/uptime', 2);
    await take(client, { topic: '$SYS/broker/uptime', qos: 0 });
    await leave(client);
    const again = await enter(node(), 5, session);
    await take(again, { topic: '$SYS/broker/uptime', qos: 0, dup: false });
    await leave(again);
  });

  it('tell of no clients unless told to', async () => {
    const watcher = await enter(node(), 5);
    await subscribe(watcher, `$SYS/brokers/${node().id}/clients/#`, 0);
    await leave(await enter(node(), 5));
    await watcher.expectQuiet();
  });
});

describe('The $SYS topics, with events of clients', () => {
  const node = nodeFor({ set: { 'sys.clientEvents': true } });

  it('tell of a client that comes, and why it goes', async () => {
    const watcher = await enter(node(), 5);
    await subscribe(watcher, '$SYS/brokers/+/clients/#', 0);
    const prefix = `$SYS/brokers/${node().id}/clients`;
    const polite = await enter(node(), 4, { clientId: 'polite', username: 'someone', keepalive: 30 });
    const come = JSON.parse((await take(watcher, { topic: `${prefix}/polite/connected`, retain: false })).payload.toString()) as Record<string, unknown>;
    assert.deepEqual(
      { ...come, ts: 0, connected_at: 0 },
      { clientid: 'polite', username: 'someone', ts: 0, proto_name: 'MQTT', proto_ver: 4, keepalive: 30, expiry_interval: 0, connected_at: 0, connack: 0, clean_start: true },
    );
    assert.ok(Math.abs(Number(come['ts']) - Date.now()) < 60_000);
    await leave(polite);
    const gone = JSON.parse((await take(watcher, { topic: `${prefix}/polite/disconnected` })).payload.toString()) as Record<string, unknown>;
    assert.equal(gone['reason'], 'normal');
    const rude = await enter(node(), 5, { clientId: 'a/b+c#%' });
    await take(watcher, { topic: `${prefix}/a%2Fb%2Bc%23%25/connected` });
    rude.send(message('wild/+', 'x', 0));
    const { payload } = await take(watcher, { topic: `${prefix}/a%2Fb%2Bc%23%25/disconnected` });
    assert.equal((JSON.parse(payload.toString()) as Record<string, unknown>)['reason'], 'topic-name-invalid');
  });
});

describe('The $SYS topics, switched off', () => {
  const node = nodeFor({ set: { 'sys.intervalSeconds': 0 } });

  it('are not there', async () => {
    const client = await enter(node(), 5);
    await subscribe(client, '$SYS/#', 0);
    await client.nothing(1_200);
  });
});

describe('The $SYS topics, in a program', () => {
  it('come to what it subscribes itself', async () => {
    const { broker } = await serve(await Broker.createBroker({ config: configOf({ 'sys.intervalSeconds': 1 }) }));
    const values: string[] = [];
    const listen = ({ payload }: { payload: string | Buffer }, done: () => void): void => {
      values.push(payload.toString());
      done();
    };
    await new Promise<void>((resolve) => { broker.subscribe('$SYS/broker/uptime', listen, () => { resolve(); }); });
    await eventually(() => values.length >= 2, { what: 'two of them' });
    for (const value of values) assert.match(value, /^\d+ seconds$/);
    await new Promise<void>((resolve) => { broker.unsubscribe('$SYS/broker/uptime', listen, () => { resolve(); }); });
  });
});
