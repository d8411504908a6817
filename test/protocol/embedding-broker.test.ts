import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { Broker, BrokerError, resolveConfig, type BrokerOptions, type PacketToPublish } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis.ts';
import { serve, type Embedded } from './embedded.ts';

async function open(options?: BrokerOptions): Promise<Embedded<Broker>> {
  return serve(await Broker.createBroker(options));
}

function published(broker: Broker, packet: PacketToPublish): Promise<void> {
  return new Promise((resolve, reject) => {
    broker.publish(packet, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

describe('what a program does wrong', () => {
  it('in a hook that decides is a refusal, and no more', async () => {
    const fault = new Error('a fault of the program');
    const node = await open({
      authorizePublish: (_client, packet, done) => {
        if (packet.topic === 'a') throw fault;
        done(null);
      },
    });
    const other = await node.connect();
    const told = node.heard('clientError');
    const client = await node.connect();
    client.mqtt.publish('a', 'x', { qos: 1 });
    await client.closed;
    assert.equal((await told)[1], fault);
    await other.publish('b', 'x', { qos: 1 });
  });

  it('in authenticate is answered as a fault of the server', async () => {
    const node = await open({
      authenticate: () => {
        throw new Error('a fault of the program');
      },
    });
    const packets = await node.packets();
    assert.equal((await packets.connect()).returnCode, 3);
    await packets.expectClosed();
  });

  it('in a listener or a hook that is only told goes to the event error', async () => {
    const fault = new Error('a fault of the program');
    const fail = (): never => {
      throw fault;
    };
    const node = await open({ published: fail });
    node.broker.on('publish', fail);
    node.broker.subscribe('a', fail);
    const errors: unknown[] = [];
    node.broker.addListener('error', (error) => void errors.push(error));
    const client = await node.connect();
    await client.subscribe('a', 1);
    await client.publish('a', 'x', { qos: 1 });
    await client.received(1);
    await eventually(() => errors.length === 3, { what: 'three errors' });
    assert.ok(errors.every((error) => error === fault));
  });

  it('with nobody listening to error is a warning of the process', async () => {
    const node = await open({ published: () => assert.fail('a fault of the program') });
    const warned = once(process, 'warning');
    await published(node.broker, { topic: 'a' });
    assert.match(String((await warned)[0]), /a fault of the program/);
  });
});

describe('a hook that takes its time', () => {
  it('in published holds its publisher back, and nobody else', async () => {
    const finish: (() => void)[] = [];
    const node = await open({
      published: (packet, _client, done) => {
        if (packet.topic === 'slow') finish.push(done);
        else done(null);
      },
    });
    const [slow, watcher] = [await node.connect(), await node.connect()];
    await watcher.subscribe('#', 1);
    await slow.publish('slow', '1', { qos: 1 });
    const later = slow.publish('after', '2', { qos: 1 });
    await watcher.publish('other', '3', { qos: 1 });
    assert.deepEqual((await watcher.received(2)).map(({ text }) => text), ['1', '3']);
    finish[0]!();
    await later;
    assert.deepEqual((await watcher.received(3)).map(({ text }) => text), ['1', '3', '2']);
  });

  it('in authenticate does no harm when its client has left', async () => {
    const answers: (() => void)[] = [];
    const node = await open({
      authenticate: (_client, _username, _password, done) => {
        answers.push(() => done(null, true));
      },
    });
    const gone = await node.packets();
    gone.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0, clientId: 'car-1' });
    await eventually(() => answers.length === 1, { what: 'question' });
    gone.destroy();
    const second = node.connect({ clientId: 'car-1' });
    await eventually(() => answers.length === 2, { what: 'question' });
    for (const answer of answers) answer();
    await second;
    assert.equal(node.broker.connectedClients, 1);
  });
});

describe('MQTT 5 in a program', () => {
  it('has its properties in packets, and keeps what a hook left', async () => {
    const seen: unknown[] = [];
    const node = await open({
      authorizePublish: (_client, packet, done) => {
        seen.push(packet.properties?.contentType, packet.properties?.responseTopic);
        packet.payload = 'changed';
        done(null);
      },
    });
    const client = await node.connect({ protocolVersion: 5 });
    await client.subscribe('a', 1);
    const userProperties = { car: ['1', '2'] };
    await client.publish('a', 'x', { qos: 1, properties: { contentType: 'text/plain', responseTopic: 'b', userProperties } });
    const [message] = await client.received(1);
    assert.deepEqual(seen, ['text/plain', 'b']);
    assert.equal(message?.text, 'changed');
    assert.deepEqual({ ...message?.properties?.userProperties }, userProperties);
  });

  it('has properties in what the program publishes', async () => {
    const node = await open();
    const client = await node.connect({ protocolVersion: 5 });
    await client.subscribe('a', 1);
    await published(node.broker, { topic: 'a', payload: 'x', qos: 1, properties: { contentType: 'text/plain', messageExpiryInterval: 100 } });
    const [message] = await client.received(1);
    assert.equal(message?.properties?.contentType, 'text/plain');
    assert.ok((message?.properties?.messageExpiryInterval ?? 0) > 90);
  });

  it('is told of a refused message by its PUBACK, and stays connected', async () => {
    const node = await open({ authorizePublish: (_client, packet, done) => done(packet.topic === 'a' ? new Error('wrong topic') : null) });
    const packets = await node.packets(5);
    await packets.connect();
    const told = node.heard('clientError');
    packets.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 1, messageId: 1, retain: false, dup: false });
    await packets.expect({ cmd: 'puback', messageId: 1, reasonCode: 0x87 });
    assert.match(String((await told)[1]), /wrong topic/);
    await packets.expectQuiet();
  });

  it('is told of a refused subscription by its SUBACK', async () => {
    const node = await open({ authorizeSubscribe: (_client, _subscription, done) => done(null, null) });
    const packets = await node.packets(5);
    await packets.connect();
    packets.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] });
    await packets.expect({ cmd: 'suback', messageId: 1, granted: [0x87] });
  });

  it('is told of a refusal by a code that the packet may carry, whatever the program gives [MQTT-3.4.2-1], [MQTT-3.9.3-2]', async () => {
    const node = await open({
      authorizePublish: (_client, { topic }) => {
        throw topic === 'a' ? new BrokerError('store-unavailable', 'no') : new BrokerError('topic-name-invalid', 'no');
      },
      authorizeSubscribe: (_client, subscription, done) => {
        if (subscription.topic === 'a') throw new BrokerError('kicked', 'no');
        done(null, { ...subscription, qos: 3 as 2 });
      },
    });
    const packets = await node.packets(5);
    await packets.connect();
    packets.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }, { topic: 'b', qos: 1 }] });
    await packets.expect({ cmd: 'suback', messageId: 1, granted: [0x80, 0x80] });
    for (const [topic, reasonCode] of [['a', 0x80], ['b', 0x90]] as const) {
      for (const [qos, cmd] of [[1, 'puback'], [2, 'pubrec']] as const) {
        packets.send({ cmd: 'publish', topic, payload: 'x', qos, messageId: 1, retain: false, dup: false });
        await packets.expect({ cmd, messageId: 1, reasonCode });
      }
    }
    await packets.expectQuiet();
  });

  it('is told the longest keep-alive', async () => {
    const node = await open({ keepaliveLimit: 60 });
    const connack = await (await node.packets(5)).connect({ keepalive: 600 });
    assert.equal(connack.properties?.serverKeepAlive, 60);
  });
});

describe('client.emptyOutgoingQueue', () => {
  it('removes what waits behind the window; what is on its way stays', async () => {
    const { config } = resolveConfig({ flags: [{ path: 'mqtt.maxInflight', value: 100, name: 'test' }] });
    const node = await open({ config });
    const first = await node.connect({ clientId: 'car-1', clean: false });
    await first.subscribe('a', 1);
    await first.end();
    for (let i = 1; i <= 1_500; i++) node.broker.publish({ topic: 'a', payload: String(i), qos: 1 });
    await published(node.broker, { topic: 'a', payload: 'last', qos: 1 });
    const packets = await node.packets();
    const ready = node.heard('clientReady');
    await packets.connect({ clientId: 'car-1', clean: false });
    const [client] = (await ready) as [ReturnType<Broker['handle']>];
    for (let i = 1; i <= 100; i++) await packets.expect({ cmd: 'publish', payload: String(i) });
    await new Promise<void>((resolve) => {
      client.emptyOutgoingQueue(resolve);
    });
    for (let i = 1; i <= 100; i++) packets.send({ cmd: 'puback', messageId: i });
    await packets.expectQuiet();
    await published(node.broker, { topic: 'a', payload: 'new', qos: 1 });
    await packets.expect({ cmd: 'publish', payload: 'new', messageId: 1_502 });
  });
});

describe('a broker that does not listen', () => {
  it('throws at handle and tells publish, before listen', async () => {
    const broker = new Broker();
    const [, far] = duplexPair();
    assert.throws(() => broker.handle(far), { code: 'server-unavailable' });
    await assert.rejects(published(broker, { topic: 'a' }), { code: 'server-unavailable' });
  });

  it('turns clients away, after close', async () => {
    const broker = await Broker.createBroker();
    await new Promise<void>((resolve) => {
      broker.close(resolve);
    });
    const [near, far] = duplexPair();
    assert.equal(broker.handle(far).closed, true);
    const ended = once(near, 'end');
    near.resume();
    await ended;
    await assert.rejects(published(broker, { topic: 'a' }), { code: 'server-unavailable' });
  });

  it('refuses options that would do nothing where something is expected', () => {
    assert.throws(() => new Broker({ mq: {}, persistence: {} }), (error) => error instanceof BrokerError && /mq: .*persistence: /.test(error.message));
    assert.throws(() => new Broker({ redis: { url: 'redis://127.0.0.1' }, store: {} as BrokerOptions['store'] & object }), { code: 'config-invalid' });
  });

  it('says what to use instead of the parts of the engine that is replaced', () => {
    const broker = new Broker();
    for (const [part, instead] of [['mq', /broker\.publish/], ['persistence', /redis/], ['clients', /connectedClients/]] as const) {
      assert.throws(() => Reflect.get(broker, part) as unknown, { code: 'config-invalid', message: instead });
    }
  });

  it('says which Redis it cannot reach, and may try again', async () => {
    const { config } = resolveConfig({ flags: [{ path: 'redis.connectTimeoutMs', value: 100, name: 'test' }] });
    const broker = new Broker({ config, redis: { url: 'redis://127.0.0.1:1' } });
    for (let i = 0; i < 2; i++) await assert.rejects(broker.listen(), { code: 'store-unavailable', message: /127\.0\.0\.1:1/ });
    assert.equal(broker.closed, true);
  });
});

describe('two programs on one Redis', () => {
  it('are one broker: messages and sessions go from one to the other', async () => {
    const redis = await startRedis();
    const [a, b] = await Promise.all(['a', 'b'].map((id) => open({ id, redis: { url: redis.url } })));
    const heard: string[] = [];
    await new Promise<void>((resolve) => {
      b!.broker.subscribe('cars/#', (packet, done) => { heard.push(`${packet.topic} ${packet.payload.toString()}`); done(); }, () => resolve());
    });
    const first = await a!.connect({ clientId: 'car-1', clean: false });
    await first.subscribe('commands/car-1', 1);
    await first.publish('cars/1', 'hello', { qos: 1 });
    await eventually(() => heard.length === 1, { what: 'message at the other program' });
    assert.deepEqual(heard, ['cars/1 hello']);

    const second = await b!.connect({ clientId: 'car-1', clean: false });
    assert.equal(second.sessionPresent, true);
    await first.closed;
    await published(a!.broker, { topic: 'commands/car-1', payload: 'go', qos: 1 });
    assert.equal((await second.received(1))[0]?.text, 'go');
  });
});
