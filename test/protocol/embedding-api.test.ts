import assert from 'node:assert/strict';
import { Aedes, type AedesPublishPacket } from 'aedes';
import { Broker } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { asInAedes, serve, type Embedded } from './embedded.ts';

type Deliver = (packet: AedesPublishPacket, callback: () => void) => void;

function subscribe(node: Embedded, topic: string, deliver: Deliver): Promise<void> {
  return new Promise((resolve) => {
    node.broker.subscribe(topic, deliver, resolve);
  });
}

function unsubscribe(node: Embedded, topic: string, deliver: Deliver): Promise<void> {
  return new Promise((resolve) => {
    node.broker.unsubscribe(topic, deliver, resolve);
  });
}

for (const Kind of [Aedes, Broker]) {
  describe(`the life of a broker, in ${Kind.name}`, () => {
    it('begins with listen', async () => {
      const broker = new Kind();
      assert.equal(broker.closed, true);
      await broker.listen();
      assert.equal(broker.closed, false);
      assert.equal(broker.connectedClients, 0);
      await (await serve(broker)).connect();
    });

    it('begins at once with createBroker', async () => {
      const broker = await Kind.createBroker({ id: 'node-7' });
      const node = await serve(broker);
      assert.ok(broker instanceof Kind);
      assert.ok(broker instanceof Aedes);
      assert.deepEqual([broker.id, broker.closed], ['node-7', false]);
      await node.connect();
    });

    it('has an id of its own', () => {
      const ids = [new Kind().id, new Kind().id];
      assert.equal(new Set(ids).size, 2);
      assert.ok(ids.every((id) => typeof id === 'string' && id.length > 0));
    });

    it('tells the version of Aedes whose interface it has', () => {
      assert.equal((new Kind() as unknown as { version: string }).version, '1.2.0');
    });
  });
}

asInAedes('close', (open) => {
  it('disconnects all clients, then emits closed and calls back', async () => {
    const node = await open();
    const clients = await Promise.all([node.connect(), node.connect({ clientId: 'kept', clean: false })]);
    const events: string[] = [];
    node.broker.on('clientDisconnect', () => void events.push('clientDisconnect'));
    node.broker.on('closed', () => void events.push('closed'));
    await node.close();
    events.push('callback');
    await Promise.all(clients.map((client) => client.closed));
    assert.deepEqual(events, ['clientDisconnect', 'clientDisconnect', 'closed', 'callback']);
    assert.equal(node.broker.closed, true);
    assert.equal(node.broker.connectedClients, 0);
  });

  it('may be called again', async () => {
    const node = await open();
    await node.close();
    await node.close();
  });
});

asInAedes('handle', (open) => {
  it('takes any duplex stream, and a request that goes with it', async () => {
    const node = await open();
    const { packets, client } = node.overStream();
    assert.deepEqual([client.id, client.connecting, client.connected, client.closed], [null, false, false, false]);
    await packets.connect({ clientId: 'car-1' });
    packets.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] });
    await packets.expect({ cmd: 'suback', granted: [1] });
    await node.publish('a', 'hello', { qos: 1 });
    await packets.expect({ cmd: 'publish', topic: 'a', payload: 'hello', qos: 1 });
    assert.deepEqual([client.id, client.connected], ['car-1', true]);
  });
});

asInAedes('connectedClients', (open) => {
  it('counts the clients that are connected', async () => {
    const node = await open();
    const [one, two] = [await node.connect(), await node.connect()];
    assert.equal(node.broker.connectedClients, 2);
    one.drop();
    await eventually(() => node.broker.connectedClients === 1, { what: 'one client' });
    await two.end();
    await eventually(() => node.broker.connectedClients === 0, { what: 'no client' });
  });

  it('counts a client once that takes its session over', async () => {
    const node = await open();
    const first = await node.connect({ clientId: 'car-1' });
    await node.connect({ clientId: 'car-1' });
    await first.closed;
    assert.equal(node.broker.connectedClients, 1);
  });
});

asInAedes('publish', (open) => {
  for (const qos of [0, 1, 2] as const) {
    it(`reaches clients and the program itself with QoS ${qos}`, async () => {
      const node = await open();
      const client = await node.connect();
      await client.subscribe('a/+', 2);
      const heard: string[] = [];
      await subscribe(node, 'a/#', (packet, done) => {
        heard.push(`${packet.topic} ${packet.payload.toString()} ${packet.qos}`);
        done();
      });
      await node.publish('a/b', 'hello', { qos });
      const [message] = await client.received(1);
      assert.deepEqual([message?.topic, message?.text, message?.qos], ['a/b', 'hello', qos]);
      assert.deepEqual(heard, [`a/b hello ${qos}`]);
    });
  }

  it('is retained when it asks for it', async () => {
    const node = await open();
    await node.publish('a', 'kept', { retain: true, qos: 1 });
    const client = await node.connect();
    await client.subscribe('a', 1);
    const [message] = await client.received(1);
    assert.deepEqual([message?.text, message?.retain], ['kept', true]);
  });

  it('waits for a session that is away', async () => {
    const node = await open();
    const first = await node.connect({ clientId: 'car-1', clean: false });
    await first.subscribe('a', 1);
    await first.end();
    await node.publish('a', 'later', { qos: 1 });
    const second = await node.connect({ clientId: 'car-1', clean: false });
    assert.equal(second.sessionPresent, true);
    assert.equal((await second.received(1))[0]?.text, 'later');
  });

  it('calls back with an error for a topic with too many levels', async () => {
    const node = await open({ maxTopicLevels: 3 });
    await node.publish('a/b/c', 'x');
    await assert.rejects(node.publish('a/b/c/d', 'x'), /too many levels|more than 3 levels/);
  });
});

asInAedes('subscribe', (open) => {
  it('gets what clients publish, until unsubscribe', async () => {
    const node = await open();
    const client = await node.connect();
    const heard: string[] = [];
    const deliver: Deliver = (packet, done) => {
      heard.push(packet.payload.toString());
      done();
    };
    await subscribe(node, 'a', deliver);
    await client.publish('a', 'one', { qos: 1 });
    await eventually(() => heard.length === 1, { what: 'a message' });
    await unsubscribe(node, 'a', deliver);
    await client.publish('a', 'two', { qos: 1 });
    await node.publish('a', 'three');
    assert.deepEqual(heard, ['one']);
  });

  it('takes topic and function together for one subscription', async () => {
    const node = await open();
    const heard: string[] = [];
    const deliver = (name: string): Deliver => (packet, done) => {
      heard.push(`${name} ${packet.topic}`);
      done();
    };
    const [one, other] = [deliver('one'), deliver('other')];
    await subscribe(node, 'a', one);
    await subscribe(node, 'b', one);
    await subscribe(node, 'a', other);
    await unsubscribe(node, 'a', one);
    await node.publish('a', 'x');
    await node.publish('b', 'x');
    assert.deepEqual(heard, ['other a', 'one b']);
  });

  it('is not asked about: authorizeSubscribe is for clients', async () => {
    const node = await open({ authorizeSubscribe: (_client, _subscription, done) => done(null, null) });
    const heard: string[] = [];
    await subscribe(node, 'a', (packet, done) => {
      heard.push(packet.topic);
      done();
    });
    await node.publish('a', 'x');
    assert.deepEqual(heard, ['a']);
  });
});
