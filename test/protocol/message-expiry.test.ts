import assert from 'node:assert/strict';
import type { IConnectPacket, IPublishPacket } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import { counted, enter, onBothStores, lasting, leave, message, send, subscribe, take } from './conversation.ts';

onBothStores('Message expiry', (test) => {
  const expiring = (seconds: number): { properties: { messageExpiryInterval: number } } => ({ properties: { messageExpiryInterval: seconds } });
  const pass = (ms: number): Promise<true> => {
    const from = performance.now();
    return eventually(() => performance.now() - from > ms, { what: 'passage of time' });
  };

  test('is passed on, less the time that the message waited [MQTT-3.3.2-6]', async (node) => {
    const session = { ...lasting(5), clientId: 'me-waits' };
    const subscriber = await enter(node, 5, session);
    await subscribe(subscriber, 'me/waits', 2);
    const publisher = await enter(node, 5);
    for (const qos of [0, 1, 2] as const) {
      await send(publisher, message('me/waits', 'at once', qos, expiring(100)));
      assert.equal((await take(subscriber, { payload: 'at once' })).properties?.messageExpiryInterval, 100);
    }
    await leave(subscriber);
    await send(publisher, message('me/waits', 'waited', 1, expiring(100)));
    await pass(1_100);
    const again = await enter(node, 5, session);
    const left = (await take(again, { payload: 'waited' })).properties?.messageExpiryInterval ?? 0;
    assert.ok(left <= 99 && left >= 95, String(left));
  });

  test('takes a message out of the queue of a client that is away; the others come, in order [MQTT-3.3.2-5]', async (node) => {
    const session = { ...lasting(5), clientId: 'me-away' };
    const subscriber = await enter(node, 5, session);
    await subscribe(subscriber, 'me/away', 2);
    await leave(subscriber);
    const publisher = await enter(node, 5);
    for (let i = 0; i < 20; i++) await send(publisher, message('me/away', String(i), i % 3 === 0 ? 2 : 1, i % 2 === 0 ? expiring(1) : {}));
    const before = await counted(node, 'swarmq_messages_dropped_total', 'reason="expired"');
    await pass(1_100);
    const again = await enter(node, 5, session);
    const arrived: string[] = [];
    while (arrived.length < 10) {
      const packet = await again.next();
      if (packet.cmd === 'publish') {
        arrived.push(packet.payload.toString());
        again.send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId: packet.messageId! });
      } else if (packet.cmd === 'pubrel') {
        again.send({ cmd: 'pubcomp', messageId: packet.messageId! });
      }
    }
    assert.deepEqual(arrived, ['1', '3', '5', '7', '9', '11', '13', '15', '17', '19']);
    assert.equal((await counted(node, 'swarmq_messages_dropped_total', 'reason="expired"')) - before, 10);
  });

  test('counts while a message waits for a place in the window', async (node) => {
    const waits = async (session: Partial<IConnectPacket>): Promise<void> => {
      const topic = `me/window/${session.clean}`;
      const subscriber = await enter(node, 5, { ...session, properties: { ...session.properties, receiveMaximum: 1 } });
      await subscribe(subscriber, topic, 1);
      const publisher = await enter(node, 5);
      await send(publisher, message(topic, 'first', 1));
      await send(publisher, message(topic, 'short', 1, expiring(1)));
      await send(publisher, message(topic, 'last', 1, expiring(50)));
      const { messageId } = await subscriber.expect({ cmd: 'publish', payload: 'first' });
      await pass(1_100);
      subscriber.send({ cmd: 'puback', messageId: messageId! });
      await take(subscriber, { payload: 'last' });
      await subscriber.expectQuiet();
    };
    await Promise.all([waits({ clean: true }), waits(lasting(5))]);
  });

  test('of 0 has passed when the message comes: it is answered and reaches nobody, at any QoS', async (node) => {
    const publisher = await enter(node, 5);
    for (const session of [{ clean: true }, { ...lasting(5), clientId: 'me-zero' }]) {
      for (const granted of [0, 2] as const) {
        const topic = `me/zero/${granted}/${session.clean}`;
        const subscriber = await enter(node, 5, session);
        await subscribe(subscriber, topic, granted);
        for (const qos of [0, 1, 2] as const) {
          await send(publisher, message(topic, 'never', qos, { ...expiring(0), retain: true }));
          await send(publisher, message(topic, 'after it', qos));
          await take(subscriber, { payload: 'after it' });
        }
        await subscribe(subscriber, topic, granted);
        await subscriber.expectQuiet();
        await leave(subscriber);
      }
    }
  });

  test('of 0 in a will has passed when it is due', async (node) => {
    const watchers = [await enter(node, 5), await enter(node, 5)];
    for (const [qos, watcher] of watchers.entries()) await subscribe(watcher, 'me/will', qos as 0 | 1);
    const will = { topic: 'me/will', payload: Buffer.from('never'), qos: 1 as const, retain: false, ...expiring(0) };
    const count = (): Promise<number> => counted(node, 'swarmq_wills_total');
    const before = await count();
    (await enter(node, 5, { will })).destroy();
    await eventually(async () => (await count()) > before, { what: 'the will' });
    for (const watcher of watchers) await watcher.expectQuiet();
  });

  test('does not stop what has been sent: it comes again, and QoS 2 goes on [MQTT-4.3.3-7], [MQTT-4.3.3-13]', async (node) => {
    const session = { ...lasting(5), clientId: 'me-begun' };
    const first = await enter(node, 5, session);
    await subscribe(first, 'me/begun', 2);
    const publisher = await enter(node, 5);
    publisher.send(message('me/begun', 'QoS 2', 2, expiring(1)));
    await publisher.expect({ cmd: 'pubrec', messageId: 1 });
    await send(publisher, message('me/begun', 'QoS 1', 1, { ...expiring(1), messageId: 2 }));
    await first.expect({ cmd: 'publish', payload: 'QoS 2' });
    await first.expect({ cmd: 'publish', payload: 'QoS 1' });
    first.destroy();
    await pass(1_100);
    publisher.send({ cmd: 'pubrel', messageId: 1 });
    await publisher.expect({ cmd: 'pubcomp', messageId: 1 });
    const second = await enter(node, 5, session);
    const { messageId, properties } = (await second.expect({ cmd: 'publish', payload: 'QoS 2', dup: true })) as IPublishPacket;
    assert.equal(properties?.messageExpiryInterval, 0);
    await second.expect({ cmd: 'publish', payload: 'QoS 1', dup: true });
    second.send({ cmd: 'pubrec', messageId: messageId! });
    await second.expect({ cmd: 'pubrel', messageId });
    second.send({ cmd: 'pubcomp', messageId: messageId! });
    await second.expectQuiet();
  });

  test('is not told to clients of MQTT 3, and holds for them too', async (node) => {
    const session = { ...lasting(4), clientId: 'me-old' };
    const subscriber = await enter(node, 4, session);
    await subscribe(subscriber, 'me/old', 1);
    const publisher = await enter(node, 5);
    await send(publisher, message('me/old', 'now', 1, expiring(100)));
    await take(subscriber, { payload: 'now' });
    await leave(subscriber);
    await send(publisher, message('me/old', 'short', 1, expiring(1)));
    await send(publisher, message('me/old', 'long', 1));
    await pass(1_100);
    await take(await enter(node, 4, session), { payload: 'long' });
  });
});
