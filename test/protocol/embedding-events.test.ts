import assert from 'node:assert/strict';
import type { Client as AedesClient } from 'aedes';
import { eventually } from '../support/eventually.ts';
import { asInAedes, type Embedded } from './embedded.ts';

type Event = [name: string, ...facts: unknown[]];

/** Notes the events of these names in their order, each as `note` puts it. */
function listen(node: Embedded, names: readonly string[], note: (...facts: unknown[]) => unknown[]): Event[] {
  const events: Event[] = [];
  for (const name of names) node.broker.on(name as 'closed', (...facts: unknown[]) => void events.push([name, ...note(...facts)]));
  return events;
}

const stateOf = (client: unknown): unknown[] => {
  const { id, connecting, connected, closed } = client as AedesClient;
  return [id, connecting, connected, closed];
};

asInAedes('events of a connection', (open) => {
  it('are client, connackSent and clientReady, while it goes from connecting to connected', async () => {
    const node = await open();
    const events = listen(node, ['client', 'clientReady'], stateOf);
    node.broker.on('connackSent', ({ cmd, returnCode, sessionPresent }, client) => {
      events.push(['connackSent', cmd, returnCode, sessionPresent, client.id]);
    });
    await node.connect({ clientId: 'car-1' });
    await eventually(() => events.length === 3, { what: 'three events' });
    assert.deepEqual(events, [
      ['client', 'car-1', true, false, false],
      ['connackSent', 'connack', 0, false, 'car-1'],
      ['clientReady', 'car-1', false, true, false],
    ]);
  });

  it('are the same client each time, the one that handle gave', async () => {
    const node = await open();
    const clients: unknown[] = [];
    for (const name of ['client', 'clientReady', 'clientDisconnect'] as const) node.broker.on(name, (client) => void clients.push(client));
    const { client, packets } = node.overStream();
    const [ready, gone] = [node.heard('clientReady'), node.heard('clientDisconnect')];
    await packets.connect();
    await ready;
    packets.send({ cmd: 'disconnect' });
    await gone;
    assert.deepEqual(clients.map((one) => one === client), [true, true, true]);
  });

  it('end with clientDisconnect, for a DISCONNECT as for a lost connection', async () => {
    const node = await open();
    for (const leave of ['end', 'drop'] as const) {
      const gone = node.heard('clientDisconnect');
      const client = await node.connect({ clientId: 'car-1' });
      await client[leave]();
      const [by] = (await gone) as [AedesClient];
      assert.deepEqual(stateOf(by), ['car-1', false, false, true]);
    }
  });

  it('say that a client with the same id went before the new one came', async () => {
    const node = await open();
    const events = listen(node, ['client', 'clientDisconnect'], (client) => [(client as AedesClient).id]);
    const first = await node.connect({ clientId: 'car-1' });
    await node.connect({ clientId: 'car-1' });
    await first.closed;
    assert.deepEqual(events, [['client', 'car-1'], ['clientDisconnect', 'car-1'], ['client', 'car-1']]);
  });

  it('say connackSent with the return code of a refusal, and neither client nor clientDisconnect', async () => {
    const node = await open({ authenticate: (_client, _username, _password, done) => done(null, false) });
    const events = listen(node, ['client', 'clientReady', 'clientDisconnect'], () => []);
    const answered = node.heard('connackSent');
    const closed = node.heard('clientError');
    await (await node.packets()).connect();
    assert.equal(((await answered) as [{ returnCode: number }])[0].returnCode, 5);
    await closed;
    assert.deepEqual(events, []);
  });

  it('are connectionError for bytes that are not MQTT, and the others go on', async () => {
    const node = await open();
    const other = await node.connect();
    const told = node.heard('connectionError');
    const packets = await node.packets();
    packets.send(Buffer.from(`GET / HTTP/1.1\r\nHost: ${'broker.'.repeat(20)}\r\n\r\n`));
    await packets.expectClosed();
    const [client, error] = (await told) as [AedesClient, Error];
    assert.equal(client.id, null);
    assert.ok(error instanceof Error);
    await other.publish('a', 'x');
  });

  it('are clientError for a malformed packet of a connected client', async () => {
    const node = await open();
    const packets = await node.packets();
    await packets.connect({ clientId: 'car-1' });
    const told = node.heard('clientError');
    packets.send(Buffer.from([0x82, 0x05, 0x00, 0x01, 0x00, 0x01, 0x61]));
    packets.send(Buffer.from([0xf7, 0x00]));
    const [client, error] = (await told) as [AedesClient, Error];
    assert.equal(client.id, 'car-1');
    assert.ok(error instanceof Error);
  });

  it('are connectionError when no CONNECT comes in time', async () => {
    const node = await open({ connectTimeout: 100 });
    const told = node.heard('connectionError');
    const packets = await node.packets();
    await told;
    await packets.expectClosed();
  });

  it('are keepaliveTimeout and then clientError for a client that fell silent', async () => {
    const node = await open();
    const events = listen(node, ['keepaliveTimeout', 'clientError', 'clientDisconnect'], (client) => [(client as AedesClient).id]);
    const packets = await node.packets();
    await packets.connect({ clientId: 'silent', keepalive: 1 });
    await packets.expectClosed(10_000);
    await eventually(() => events.length === 3, { what: 'three events' });
    assert.deepEqual(events, [['keepaliveTimeout', 'silent'], ['clientError', 'silent'], ['clientDisconnect', 'silent']]);
  });
});

asInAedes('event publish', (open) => {
  it('shows packet and client, whoever is subscribed', async () => {
    const node = await open();
    const client = await node.connect({ clientId: 'car-1' });
    const events: unknown[] = [];
    node.broker.on('publish', ({ cmd, topic, payload, qos, retain }, by) => {
      if (topic !== 'a') return;
      events.push([cmd, topic, payload.toString(), qos, retain, by?.id]);
    });
    for (const qos of [0, 1, 2] as const) await client.publish('a', 'hello', { qos, retain: qos === 1 });
    await eventually(() => events.length === 3, { what: 'three events' });
    assert.deepEqual(events, [0, 1, 2].map((qos) => ['publish', 'a', 'hello', qos, qos === 1, 'car-1']));
  });

  it('has no client for what the program publishes', async () => {
    const node = await open();
    const told = node.heard('publish');
    await node.publish('a', 'x');
    const [packet, client] = (await told) as [{ topic: string }, null];
    assert.equal(packet.topic, 'a');
    assert.equal(client, null);
  });
});

asInAedes('event ack', (open) => {
  it('shows the PUBLISH of QoS 1', async () => {
    const node = await open();
    const client = await node.connect({ clientId: 'car-1', clean: false });
    await client.subscribe('a', 1);
    const told = node.heard('ack');
    await node.publish('a', 'hello', { qos: 1 });
    const [packet, by] = (await told) as [{ cmd: string; topic: string; payload: Buffer; qos: number }, AedesClient];
    assert.deepEqual([packet.cmd, packet.topic, packet.payload.toString(), packet.qos, by.id], ['publish', 'a', 'hello', 1, 'car-1']);
  });

  it('shows the PUBREL of QoS 2', async () => {
    const node = await open();
    const client = await node.connect({ clientId: 'car-1', clean: false });
    await client.subscribe('a', 2);
    const told = node.heard('ack');
    await node.publish('a', 'hello', { qos: 2 });
    const [packet, by] = (await told) as [{ cmd: string; messageId: number }, AedesClient];
    const [message] = await client.received(1);
    assert.deepEqual([packet.cmd, packet.messageId, by.id], ['pubrel', message?.packetId, 'car-1']);
  });
});

asInAedes('event ping', (open) => {
  it('shows the PINGREQ and the client', async () => {
    const node = await open();
    const packets = await node.packets();
    await packets.connect({ clientId: 'car-1' });
    const told = node.heard('ping');
    packets.send({ cmd: 'pingreq' });
    await packets.expect({ cmd: 'pingresp' });
    const [packet, by] = (await told) as [{ cmd: string }, AedesClient];
    assert.deepEqual([packet.cmd, by.id], ['pingreq', 'car-1']);
  });
});

asInAedes('events subscribe and unsubscribe', (open) => {
  it('show the subscriptions without doubles, with 128 for the refused ones', async () => {
    const node = await open({ authorizeSubscribe: (_client, subscription, done) => done(null, subscription.topic === 'refused' ? null : subscription) });
    const packets = await node.packets();
    await packets.connect({ clientId: 'car-1' });
    const told = node.heard('subscribe');
    const topics = [{ topic: 'a', qos: 0 as const }, { topic: 'refused', qos: 1 as const }, { topic: 'a', qos: 1 as const }];
    packets.send({ cmd: 'subscribe', messageId: 1, subscriptions: topics });
    const [subscriptions, client] = (await told) as [{ topic: string; qos: number }[], AedesClient];
    const shown = subscriptions.map(({ topic, qos }) => [topic, qos]);
    assert.deepEqual(shown, [['a', 1], ['refused', 128]]);
    assert.equal(client.id, 'car-1');
  });

  it('show the topics that were given up', async () => {
    const node = await open();
    const client = await node.connect({ clientId: 'car-1' });
    await client.subscribe(['a', 'b', 'c'], 0);
    const told = node.heard('unsubscribe');
    await client.unsubscribe(['a', 'b']);
    const [topics, by] = (await told) as [string[], AedesClient];
    assert.deepEqual(topics, ['a', 'b']);
    assert.equal(by.id, 'car-1');
  });

  it('show what a clean session gave up by leaving', async () => {
    const node = await open();
    const client = await node.connect();
    await client.subscribe(['a', 'b'], 0);
    const told = node.heard('unsubscribe');
    client.drop();
    assert.deepEqual((await told)[0], ['a', 'b']);
  });
});
