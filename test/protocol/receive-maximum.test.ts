import assert from 'node:assert/strict';
import type { IPublishPacket } from 'mqtt-packet';
import { openPackets } from '../support/packets.ts';
import { codeOf, enter, forEachStore, lasting, message, send, subscribe, take } from './conversation.ts';

forEachStore('Receive maximum', (node) => {
  for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(5)]] as const) {
    it(`of the client is never exceeded, for both QoS together [MQTT-3.3.4-9] (${name})`, async () => {
      const topic = `rm/${name}`;
      const client = await enter(node(), 5, { ...session, properties: { ...session.properties, receiveMaximum: 3 } });
      await subscribe(client, topic, 2);
      const publisher = await enter(node(), 5);
      for (let i = 0; i < 12; i++) await send(publisher, message(topic, String(i), i % 2 === 0 ? 1 : 2));
      const open: IPublishPacket[] = [];
      for (let i = 0; i < 3; i++) open.push((await client.expect({ cmd: 'publish', payload: String(i) })) as IPublishPacket);
      await client.expectQuiet();
      for (let i = 3; i < 12; i++) {
        const { qos, messageId } = open.shift()!;
        if (qos === 1) {
          client.send({ cmd: 'puback', messageId: messageId! });
        } else {
          client.send({ cmd: 'pubrec', messageId: messageId! });
          await client.expect({ cmd: 'pubrel', messageId });
          // it holds its place until PUBCOMP
          await client.expectQuiet();
          client.send({ cmd: 'pubcomp', messageId: messageId! });
        }
        open.push((await client.expect({ cmd: 'publish', payload: String(i) })) as IPublishPacket);
        await client.expectQuiet();
      }
    });
  }

  it('holds back nothing but messages: everything else is answered while the window is full [MQTT-3.3.4-10], [MQTT-4.9.0-3]', async () => {
    const client = await enter(node(), 5, { properties: { receiveMaximum: 1 } });
    await subscribe(client, 'rm/full', 1);
    const publisher = await enter(node(), 5);
    for (const text of ['in flight', 'waits']) await send(publisher, message('rm/full', text, 1));
    const { messageId } = await client.expect({ cmd: 'publish', payload: 'in flight' });
    await client.expectQuiet();
    await subscribe(client, 'rm/more', 1);
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['rm/more'] });
    await client.expect({ cmd: 'unsuback', messageId: 2 });
    for (const qos of [1, 2] as const) await send(client, message('rm/elsewhere', 'x', qos));
    client.send({ cmd: 'pubrel', messageId: 9 });
    await client.expect({ cmd: 'pubcomp', messageId: 9 });
    client.send({ cmd: 'puback', messageId: messageId! });
    await take(client, { payload: 'waits' });
  });

  it('does not hold back QoS 0', async () => {
    const client = await enter(node(), 5, { properties: { receiveMaximum: 1 } });
    await subscribe(client, 'rm/zero', 1);
    const publisher = await enter(node(), 5);
    await send(publisher, message('rm/zero', 'one', 1));
    await send(publisher, message('rm/zero', 'two', 1));
    await send(publisher, message('rm/zero', 'zero', 0));
    await client.expect({ cmd: 'publish', payload: 'one' });
    await client.expect({ cmd: 'publish', payload: 'zero' });
    await client.expectQuiet();
  });

  it('counts what was released when a session goes on', async () => {
    const session = { ...lasting(5), clientId: 'rm-again' };
    const limited = { ...session, properties: { ...session.properties, receiveMaximum: 1 } };
    const client = await enter(node(), 5, limited);
    await subscribe(client, 'rm/again', 2);
    const publisher = await enter(node(), 5);
    await send(publisher, message('rm/again', 'one', 2));
    await send(publisher, message('rm/again', 'two', 1));
    const { messageId } = await client.expect({ cmd: 'publish', payload: 'one' });
    client.send({ cmd: 'pubrec', messageId: messageId! });
    await client.expect({ cmd: 'pubrel' });
    client.destroy();
    const again = await enter(node(), 5, limited);
    await again.expect({ cmd: 'pubrel', messageId });
    await again.expectQuiet();
    again.send({ cmd: 'pubcomp', messageId: messageId! });
    await take(again, { payload: 'two' });
  });

  it('of 0 is a protocol error', async () => {
    const client = await openPackets(node().port, 5);
    client.send(Buffer.from('101300044d51545405020000032100000003' + '616263', 'hex'));
    assert.equal(codeOf((await client.expect({ cmd: 'connack' })) as object), 0x82);
  });
});

forEachStore('Receive maximum of the server', (node) => {
  it('a client of MQTT 5.0 that sends more than the receive maximum is closed with 0x93', async () => {
    const client = await openPackets(node().port, 5);
    assert.equal((await client.connect()).properties?.receiveMaximum, 5);
    for (let i = 1; i <= 6; i++) client.send(message('limits/x', 'x', 2, { messageId: i }));
    let packet = await client.next();
    while (packet.cmd === 'pubrec') packet = await client.next();
    assert.deepEqual({ cmd: packet.cmd, code: codeOf(packet as object) }, { cmd: 'disconnect', code: 0x93 });
    await client.expectClosed();
  });

  it('may be used again and again', async () => {
    const client = await enter(node(), 5);
    for (let round = 0; round < 20; round++) {
      for (const qos of [1, 2] as const) {
        const ids = [1, 2, 3, 4, 5];
        for (const messageId of ids) client.send(message('limits/again', 'x', qos, { messageId }));
        for (const messageId of ids) await client.expect({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId });
        if (qos === 1) continue;
        for (const messageId of ids) client.send({ cmd: 'pubrel', messageId });
        for (const messageId of ids) await client.expect({ cmd: 'pubcomp', messageId });
      }
    }
  });

  it('clients of MQTT 3 that send more are read more slowly, and lose nothing', async () => {
    const client = await enter(node(), 4);
    for (let i = 1; i <= 200; i++) client.send(message('limits/old', 'x', 1, { messageId: i }));
    for (let i = 1; i <= 200; i++) await client.expect({ cmd: 'puback', messageId: i });
  });
}, { set: { 'mqtt.receiveMaximum': 5 } });
