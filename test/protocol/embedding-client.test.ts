import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Client as AedesClient, PublishPacket, Subscription } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { connectClient } from '../support/client.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import { asInAedes, type Embedded } from './embedded.ts';

const packet = (topic: string, payload: string, qos: 0 | 1 | 2): PublishPacket => ({ cmd: 'publish', topic, payload, qos, retain: false, dup: false });

/** Calls a method of a client that takes a callback. */
function settled(call: (done: (error?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

async function pair(node: Embedded, options: { clientId?: string; clean?: boolean } = {}): Promise<{ client: AedesClient; mqtt: Awaited<ReturnType<Embedded['connect']>> }> {
  const ready = node.heard('clientReady');
  const mqtt = await node.connect({ clientId: 'car-1', ...options });
  const [client] = (await ready) as [AedesClient];
  return { client, mqtt };
}

asInAedes('a client', (open) => {
  it('shows id, clean, version and stream', async () => {
    const node = await open();
    const first = await pair(node);
    assert.deepEqual([first.client.id, first.client.clean, first.client.version], ['car-1', true, 4]);
    assert.ok('remoteAddress' in first.client.conn);
    assert.equal(first.client.req, undefined);
    const second = await pair(node, { clientId: 'car-2', clean: false });
    assert.deepEqual([second.client.id, second.client.clean], ['car-2', false]);
  });

  it('is given an id when it brings none', async () => {
    const node = await open();
    const { client } = await pair(node, { clientId: '' });
    assert.match(client.id, /.{8,}/);
  });

  it('shows the request of a WebSocket', async () => {
    const node = await open();
    const server = createServer();
    const sockets = new WebSocketServer({ server, handleProtocols: () => 'mqtt' });
    sockets.on('connection', (socket, request) => node.broker.handle(createWebSocketStream(socket), request));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    atEnd('a WebSocket server', () => {
      server.closeAllConnections();
      server.close();
    });
    const ready = node.heard('clientReady');
    const mqtt = await connectClient(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/mqtt?car=1`);
    const [client] = (await ready) as [AedesClient];
    assert.equal(client.req?.url, '/mqtt?car=1');
    await mqtt.subscribe('a', 1);
    await node.publish('a', 'over a WebSocket', { qos: 1 });
    assert.equal((await mqtt.received(1))[0]?.text, 'over a WebSocket');
    await mqtt.end();
  });

  it('emits connected', async () => {
    const node = await open();
    const { client, packets } = node.overStream();
    const connected = once(client, 'connected');
    await packets.connect();
    await connected;
    assert.equal(client.connected, true);
  });

  it('emits error', async () => {
    const node = await open();
    const { client, packets } = node.overStream();
    await packets.connect();
    const failed = once(client, 'error');
    packets.send(Buffer.from([0xf7, 0x00]));
    assert.ok((await failed)[0] instanceof Error);
  });
});

asInAedes('client.publish', (open) => {
  for (const clean of [true, false]) {
    for (const qos of [0, 1, 2] as const) {
      it(`sends to this client alone, QoS ${qos}, ${clean ? 'a clean' : 'a kept'} session`, async () => {
        const node = await open();
        const other = await node.connect();
        await other.subscribe('#', 2);
        const { client, mqtt } = await pair(node, { clean });
        await settled((done) => {
          client.publish(packet('for/you', 'hello', qos), done);
        });
        const [message] = await mqtt.received(1);
        assert.deepEqual([message?.topic, message?.text, message?.qos, message?.retain], ['for/you', 'hello', qos, false]);
        await node.publish('end', 'x');
        assert.deepEqual((await other.received(1)).map(({ topic }) => topic), ['end']);
      });
    }
  }
});

asInAedes('client.subscribe and client.unsubscribe', (open) => {
  const forms: Record<string, (topic: string) => Subscription | Subscription[] | { subscriptions: Subscription[] }> = {
    'one subscription': (topic) => ({ topic, qos: 1 }),
    'several subscriptions': (topic) => [{ topic, qos: 1 }, { topic: 'another', qos: 0 }],
    'a packet without messageId': (topic) => ({ subscriptions: [{ topic, qos: 1 }] }),
  };
  for (const [form, make] of Object.entries(forms)) {
    it(`subscribes the client to ${form}`, async () => {
      const node = await open();
      const { client, mqtt } = await pair(node);
      await settled((done) => {
        client.subscribe(make('a'), done);
      });
      await node.publish('a', 'hello', { qos: 1 });
      const [message] = await mqtt.received(1);
      assert.deepEqual([message?.topic, message?.qos], ['a', 1]);
    });
  }

  it('can be called while the client is still connecting', async () => {
    const node = await open();
    const subscribed = new Promise<void>((resolve) => {
      node.broker.on('client', (client) => {
        client.subscribe({ topic: 'a', qos: 1 }, () => {
          resolve();
        });
      });
    });
    const mqtt = await node.connect();
    await subscribed;
    await node.publish('a', 'hello', { qos: 1 });
    await mqtt.received(1);
  });

  it('answers a packet with a messageId', async () => {
    const node = await open();
    const { client, packets } = node.overStream();
    const ready = node.heard('clientReady');
    await packets.connect();
    await ready;
    await settled((done) => {
      client.subscribe({ cmd: 'subscribe', messageId: 42, subscriptions: [{ topic: 'a', qos: 1 }] }, done);
    });
    await packets.expect({ cmd: 'suback', messageId: 42, granted: [1] });
    await settled((done) => {
      client.unsubscribe({ cmd: 'unsubscribe', messageId: 43, unsubscriptions: ['a'] }, done);
    });
    await packets.expect({ cmd: 'unsuback', messageId: 43 });
  });

  it('ends a subscription', async () => {
    const node = await open();
    const { client, mqtt } = await pair(node);
    await mqtt.subscribe(['a', 'b'], 0);
    await settled((done) => {
      client.unsubscribe({ cmd: 'unsubscribe', unsubscriptions: ['a'] }, done);
    });
    await node.publish('a', 'no');
    await node.publish('b', 'yes');
    assert.deepEqual((await mqtt.received(1)).map(({ text }) => text), ['yes']);
  });
});

asInAedes('client.close', (open) => {
  it('disconnects the client, then calls back', async () => {
    const node = await open();
    const { client, mqtt } = await pair(node);
    await settled((done) => {
      client.close(done);
    });
    assert.deepEqual([client.closed, client.connected, client.connecting], [true, false, false]);
    await mqtt.closed;
    await settled((done) => {
      client.close(done);
    });
  });

  it('publishes the will', async () => {
    const node = await open();
    const watcher = await node.connect();
    await watcher.subscribe('will', 1);
    const ready = node.heard('clientReady');
    await node.connect({ clientId: 'willing', will: { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false } });
    const [client] = (await ready) as [AedesClient];
    client.close();
    assert.equal((await watcher.received(1))[0]?.text, 'gone');
  });
});

asInAedes('client.emptyOutgoingQueue', (open) => {
  it('clears what was not sent to the client', async () => {
    const node = await open();
    const first = await pair(node, { clean: false });
    await first.mqtt.subscribe('a', 1);
    await first.mqtt.end();
    for (let i = 0; i < 10; i++) await node.publish('a', `lost ${i}`, { qos: 1 });
    const packets = await node.packets();
    const ready = node.heard('clientReady');
    await packets.connect({ clientId: 'car-1', clean: false });
    const [client] = (await ready) as [AedesClient];
    await settled((done) => {
      client.emptyOutgoingQueue(done);
    });
    packets.destroy();
    await eventually(() => node.broker.connectedClients === 0, { what: 'an end of the connection' });
    const again = await node.connect({ clientId: 'car-1', clean: false });
    await node.publish('a', 'new', { qos: 1 });
    const messages = await eventually(() => again.messages.some(({ text }) => text === 'new') && again.messages, { what: 'the new message' });
    assert.ok(messages.every(({ text, dup }) => text === 'new' || dup), 'nothing comes again but what was on its way');
  });
});
