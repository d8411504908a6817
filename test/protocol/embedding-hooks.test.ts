import assert from 'node:assert/strict';
import type { AuthenticateError, PublishPacket, Subscription } from 'aedes';
import { asInAedes } from './embedded.ts';

function refusal(returnCode: number): AuthenticateError {
  return Object.assign(new Error('Auth error'), { returnCode });
}

asInAedes('hook preConnect', (open) => {
  it('sees the CONNECT packet of a client that has no id yet', async () => {
    const seen: unknown[] = [];
    const node = await open({
      preConnect: (client, packet, done) => {
        seen.push(client.id, client.version, client.connecting, client.connected, packet.cmd, packet.clientId, packet.keepalive, packet.clean);
        done(null, true);
      },
    });
    await node.connect({ clientId: 'car-1', keepalive: 30 });
    assert.deepEqual(seen, [null, null, true, false, 'connect', 'car-1', 30, true]);
  });

  it('can change the packet', async () => {
    const node = await open({
      preConnect: (_client, packet, done) => {
        packet.clientId = `tenant-${packet.clientId}`;
        done(null, true);
      },
    });
    const ready = node.heard('clientReady');
    await node.connect({ clientId: 'car-1' });
    const [client] = (await ready) as [{ id: string }];
    assert.equal(client.id, 'tenant-car-1');
  });

  it('refuses with an error: the connection ends without a CONNACK, and connectionError tells', async () => {
    const error = new Error('connection error');
    const node = await open({ preConnect: (_client, _packet, done) => setImmediate(done, error, false) });
    const told = node.heard('connectionError');
    const packets = await node.packets();
    packets.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0, clientId: 'car-1' });
    await packets.expectClosed();
    const [client, cause] = (await told) as [{ id: string | null }, Error];
    assert.equal(client.id, null);
    assert.equal(cause, error);
  });
});

asInAedes('hook authenticate', (open) => {
  it('gets user name and password, of a client that has its id', async () => {
    const seen: unknown[] = [];
    const node = await open({
      authenticate: (client, username, password, done) => {
        seen.push(client.id, username, password?.toString());
        done(null, true);
      },
    });
    await node.connect({ clientId: 'car-1', username: 'matteo', password: 'collina' });
    assert.deepEqual(seen, ['car-1', 'matteo', 'collina']);
  });

  it('gets undefined where a client names no user', async () => {
    const seen: unknown[] = [];
    const node = await open({
      authenticate: (_client, username, password, done) => {
        seen.push(username, password);
        done(null, true);
      },
    });
    await node.connect();
    assert.deepEqual(seen, [undefined, undefined]);
  });

  it('refuses with return code 5 when it is not successful', async () => {
    const node = await open({ authenticate: (_client, _username, _password, done) => setImmediate(done, null, false) });
    const packets = await node.packets();
    assert.equal((await packets.connect()).returnCode, 5);
    await packets.expectClosed();
  });

  for (const code of [2, 3, 4, 5]) {
    it(`refuses with return code ${code} of the error`, async () => {
      const error = refusal(code);
      const node = await open({ authenticate: (_client, _username, _password, done) => setImmediate(done, error, null) });
      const told = node.heard('clientError');
      const packets = await node.packets();
      assert.equal((await packets.connect({ clientId: 'car-1' })).returnCode, code);
      await packets.expectClosed();
      const [client, cause] = (await told) as [{ id: string; connected: boolean }, Error];
      assert.deepEqual([client.id, client.connected, cause], ['car-1', false, error]);
    });
  }

  it('refuses with return code 5 for a code that MQTT does not know', async () => {
    const node = await open({ authenticate: (_client, _username, _password, done) => setImmediate(done, refusal(17), null) });
    assert.equal((await (await node.packets()).connect()).returnCode, 5);
  });

  it('is called on the broker', async () => {
    const node = await open();
    let context: unknown;
    node.broker.authenticate = function (this: unknown, _client, _username, _password, done) {
      context = this;
      done(null, true);
    };
    await node.connect();
    assert.equal(context, node.broker);
  });
});

asInAedes('hook authorizePublish', (open) => {
  it('can change the packet', async () => {
    const node = await open({
      authorizePublish: (_client, packet, done) => {
        packet.topic = `changed/${packet.topic}`;
        packet.payload = Buffer.from('overwrite packet payload');
        done(null);
      },
    });
    const client = await node.connect();
    await client.subscribe('#', 1);
    await client.publish('bbb', 'original', { qos: 1 });
    const [message] = await client.received(1);
    assert.deepEqual([message?.topic, message?.text], ['changed/bbb', 'overwrite packet payload']);
  });

  it('can answer later, and keeps the order of a publisher', async () => {
    const node = await open({ authorizePublish: (_client, _packet, done) => setTimeout(done, 5, null) });
    const client = await node.connect();
    await client.subscribe('#', 0);
    await Promise.all(['1', '2', '3'].map((text) => client.publish('a', text, { qos: 1 })));
    assert.deepEqual((await client.received(3)).map((message) => message.text), ['1', '2', '3']);
  });

  it('closes the connection of a publisher that it refuses, and clientError tells', async () => {
    const error = new Error('wrong topic');
    const node = await open({ authorizePublish: (_client, packet, done) => done(packet.topic === 'aaaa' ? error : null) });
    const told = node.heard('clientError');
    const client = await node.connect({ clientId: 'car-1' });
    client.mqtt.publish('aaaa', 'x', { qos: 1 });
    await client.closed;
    const [by, cause] = (await told) as [{ id: string }, Error];
    assert.equal(by.id, 'car-1');
    assert.equal(cause, error);
  });

  it('is not there: $SYS/ is the broker\'s own', async () => {
    const node = await open();
    const told = node.heard('clientError');
    const client = await node.connect();
    client.mqtt.publish('$SYS/hello', 'x', { qos: 0 });
    await client.closed;
    await told;
  });

  it('is asked for a will', async () => {
    const asked: [string | null | undefined, string][] = [];
    const node = await open({
      authorizePublish: (client, packet, done) => {
        asked.push([client?.id, packet.topic]);
        packet.payload = Buffer.from('changed');
        done(null);
      },
    });
    const watcher = await node.connect();
    await watcher.subscribe('will', 0);
    const dying = await node.connect({ clientId: 'dying', will: { topic: 'will', payload: Buffer.from('died'), qos: 0, retain: false } });
    dying.drop();
    const [message] = await watcher.received(1);
    assert.deepEqual(asked, [['dying', 'will']]);
    assert.equal(message?.text, 'changed');
  });

  it('is not asked for what the program publishes', async () => {
    const node = await open({ authorizePublish: (_client, _packet, done) => done(new Error('never')) });
    const client = await node.connect();
    await client.subscribe('a', 0);
    await node.publish('a', 'from the program');
    assert.equal((await client.received(1))[0]?.text, 'from the program');
  });
});

asInAedes('hook authorizeSubscribe', (open) => {
  it('sees topic and QoS', async () => {
    const seen: Subscription[] = [];
    const node = await open({
      authorizeSubscribe: (_client, subscription, done) => {
        seen.push({ topic: subscription.topic, qos: subscription.qos });
        done(null, subscription);
      },
    });
    const client = await node.connect();
    await client.subscribe(['a', 'b/+'], 1);
    assert.deepEqual(seen, [{ topic: 'a', qos: 1 }, { topic: 'b/+', qos: 1 }]);
  });

  it('can change topic and QoS', async () => {
    const node = await open({
      authorizeSubscribe: (_client, subscription, done) => {
        if (subscription.topic === 'bbb') subscription.topic = 'foo';
        done(null, subscription);
      },
    });
    const client = await node.connect();
    await client.subscribe('bbb', 1);
    await node.publish('bbb', 'no');
    await node.publish('foo', 'yes');
    assert.deepEqual((await client.received(1)).map((message) => message.text), ['yes']);
  });

  it('refuses with null: SUBACK says 128, the other topics are subscribed, the connection goes on', async () => {
    const node = await open({ authorizeSubscribe: (_client, subscription, done) => done(null, subscription.topic === 'aaaa' ? null : subscription) });
    const packets = await node.packets();
    await packets.connect();
    packets.send({ cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: 'aaaa', qos: 0 }, { topic: 'b', qos: 0 }] });
    await packets.expect({ cmd: 'suback', messageId: 7, granted: [128, 0] });
    await node.publish('aaaa', 'no');
    await node.publish('b', 'yes');
    await packets.expect({ cmd: 'publish', topic: 'b' });
  });

  it('refuses with an error: the connection is closed, and clientError tells', async () => {
    const error = new Error('wrong topic');
    const node = await open({ authorizeSubscribe: (_client, _subscription, done) => setImmediate(done, error) });
    const told = node.heard('clientError');
    const packets = await node.packets();
    await packets.connect();
    packets.send({ cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: 'aaaa', qos: 0 }] });
    await packets.expectClosed();
    assert.equal((await told)[1], error);
  });

  it('is asked again when a session comes back', async () => {
    let isAllowed = true;
    const node = await open({ authorizeSubscribe: (_client, subscription, done) => done(null, isAllowed ? subscription : null) });
    const first = await node.connect({ clientId: 'car-1', clean: false });
    await first.subscribe(['a'], 0);
    await first.end();
    isAllowed = false;
    const second = await node.connect({ clientId: 'car-1', clean: false });
    isAllowed = true;
    await second.subscribe('b', 0);
    await node.publish('a', 'no');
    await node.publish('b', 'yes');
    assert.deepEqual((await second.received(1)).map((message) => message.text), ['yes']);
  });
});

asInAedes('hook authorizeForward', (open) => {
  it('keeps a message from one client', async () => {
    const node = await open({
      authorizeForward: (client, packet) => (packet.topic === 'aaaa' && client.id === 'blind' ? null : packet),
    });
    const [blind, seeing] = await Promise.all(['blind', 'seeing'].map((clientId) => node.connect({ clientId })));
    await Promise.all([blind!.subscribe('#', 1), seeing!.subscribe('#', 1)]);
    await node.publish('aaaa', 'secret', { qos: 1 });
    await node.publish('aaaa', 'secret', { qos: 0 });
    await node.publish('b', 'open', { qos: 1 });
    await seeing!.received(3);
    assert.deepEqual((await blind!.received(1)).map((message) => message.topic), ['b']);
  });

  it('can change what one client gets', async () => {
    const node = await open({
      authorizeForward: (client, packet) => {
        if (client.id === 'changed') packet.payload = Buffer.from('overwrite packet payload');
        return packet;
      },
    });
    const changed = await node.connect({ clientId: 'changed' });
    await changed.subscribe('bbb', 1);
    await node.publish('bbb', 'original', { qos: 0 });
    await node.publish('bbb', 'original', { qos: 1 });
    const messages = await changed.received(2);
    assert.deepEqual(messages.map((message) => message.text), ['overwrite packet payload', 'overwrite packet payload']);
  });

  it('is asked for retained messages', async () => {
    const node = await open({ authorizeForward: (_client, packet) => (packet.topic === 'r/hidden' ? null : packet) });
    await node.publish('r/hidden', 'x', { retain: true });
    await node.publish('r/shown', 'x', { retain: true });
    const client = await node.connect();
    await client.subscribe('r/+', 0);
    assert.deepEqual((await client.received(1)).map((message) => message.topic), ['r/shown']);
  });

  it('is asked for what waited for a session', async () => {
    const node = await open({ authorizeForward: (_client, packet) => (packet.topic === 'hidden' ? null : packet) });
    const first = await node.connect({ clientId: 'car-1', clean: false });
    await first.subscribe(['hidden', 'shown'], 1);
    await first.end();
    await node.publish('hidden', 'x', { qos: 1 });
    await node.publish('shown', 'x', { qos: 1 });
    const second = await node.connect({ clientId: 'car-1', clean: false });
    assert.deepEqual((await second.received(1)).map((message) => message.topic), ['shown']);
  });
});

asInAedes('hook published', (open) => {
  it('sees each packet and its client', async () => {
    const seen: [string, string | null, number][] = [];
    const node = await open({
      published: (packet, client, done) => {
        if (!packet.topic.startsWith('$SYS')) seen.push([packet.topic, (client as { id: string } | null)?.id ?? null, packet.qos]);
        done(null);
      },
    });
    const client = await node.connect({ clientId: 'car-1' });
    await client.publish('a', 'x', { qos: 1 });
    await node.publish('b', 'x', { qos: 1 });
    await client.publish('c', 'x', { qos: 2 });
    assert.deepEqual(seen, [['a', 'car-1', 1], ['b', null, 1], ['c', 'car-1', 2]]);
  });

  it('comes when the message has its subscribers', async () => {
    const order: string[] = [];
    const node = await open({
      published: (packet: PublishPacket, _client, done) => {
        if (packet.topic === 'a') order.push('published');
        done(null);
      },
    });
    await new Promise<void>((resolve) => {
      node.broker.subscribe('a', (_packet, done) => { order.push('delivered'); done(); }, resolve);
    });
    await node.publish('a', 'x', { qos: 0 });
    assert.deepEqual(order, ['delivered', 'published']);
  });
});
