import assert from 'node:assert/strict';
import { codeOf, enter, forEachStore, forEachVersion, lasting, message, send, subscribe, take } from './conversation.ts';

forEachStore('PUBLISH', (node) => {
  forEachVersion((version) => {
    for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(version)]] as const) {
      for (const sent of [0, 1, 2] as const) {
        for (const wanted of [0, 1, 2] as const) {
          it(`at QoS ${sent} reaches ${name} subscribed at QoS ${wanted} at QoS ${Math.min(sent, wanted)}`, async () => {
            const topic = `publish/${version}/${sent}/${wanted}/${session.clean === false ? 'lasting' : 'clean'}`;
            const subscriber = await enter(node(), version, session);
            assert.equal(await subscribe(subscriber, topic, wanted), wanted);
            const publisher = await enter(node(), version);
            for (const text of ['one', 'two', '']) {
              await send(publisher, message(topic, text, sent));
              await take(subscriber, { topic, payload: text, qos: Math.min(sent, wanted), dup: false, retain: false });
            }
            await subscriber.expectQuiet();
          });
        }
      }
    }

    it('keeps the order of one publisher for each QoS', async () => {
      const topic = `publish/${version}/order`;
      const subscriber = await enter(node(), version);
      await subscribe(subscriber, topic, 2);
      const publisher = await enter(node(), version);
      for (const qos of [0, 1, 2] as const) {
        for (let i = 1; i <= 50; i++) publisher.send(message(topic, `${qos}/${i}`, qos, qos > 0 ? { messageId: i } : {}));
        const arrived: string[] = [];
        for (let answers = qos === 2 ? 100 : 50; answers > 0; answers--) {
          const packet = await subscriber.next();
          if (packet.cmd === 'publish') arrived.push(packet.payload.toString());
          if (packet.cmd === 'publish' && qos > 0) subscriber.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: packet.messageId! });
          if (packet.cmd === 'pubrel') subscriber.send({ cmd: 'pubcomp', messageId: packet.messageId! });
        }
        assert.deepEqual(arrived, Array.from({ length: 50 }, (_, i) => `${qos}/${i + 1}`));
        for (let i = 1; qos > 0 && i <= 50; i++) await publisher.expect({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: i });
      }
    });

    it('at QoS 2 is published once, however often it is repeated before its PUBREL [MQTT-4.3.3-10]', async () => {
      const topic = `publish/${version}/once`;
      for (const session of [{}, lasting(version)]) {
        const subscriber = await enter(node(), version);
        await subscribe(subscriber, topic, 1);
        const publisher = await enter(node(), version, session);
        publisher.send(message(topic, 'once', 2, { messageId: 7 }));
        await publisher.expect({ cmd: 'pubrec', messageId: 7 });
        publisher.send(message(topic, 'once', 2, { messageId: 7, dup: true }));
        await publisher.expect({ cmd: 'pubrec', messageId: 7 });
        publisher.send({ cmd: 'pubrel', messageId: 7 });
        await publisher.expect({ cmd: 'pubcomp', messageId: 7 });
        // the identifier is free again
        await send(publisher, message(topic, 'next', 2, { messageId: 7 }));
        await take(subscriber, { payload: 'once' });
        await take(subscriber, { payload: 'next' });
        await subscriber.expectQuiet();
        subscriber.destroy();
      }
    });

    it('at QoS 1 with DUP and an identifier that is free is a message like another', async () => {
      const topic = `publish/${version}/dup`;
      const subscriber = await enter(node(), version);
      await subscribe(subscriber, topic, 1);
      const publisher = await enter(node(), version);
      await send(publisher, message(topic, 'again', 1, { dup: true }));
      await send(publisher, message(topic, 'again', 1, { dup: true }));
      // DUP belongs to one hop [MQTT-3.3.1-3]
      await take(subscriber, { payload: 'again', dup: false });
      await take(subscriber, { payload: 'again', dup: false });
    });

    it('is released in the order of the PUBRECs [MQTT 3.1.1, MQTT-4.6.0-6]', async () => {
      const topic = `publish/${version}/released`;
      for (const session of [{}, lasting(version)]) {
        const subscriber = await enter(node(), version, session);
        await subscribe(subscriber, topic, 2);
        const publisher = await enter(node(), version);
        for (let i = 1; i <= 10; i++) await send(publisher, message(topic, String(i), 2, { messageId: i }));
        const ids: number[] = [];
        while (ids.length < 10) ids.push((await subscriber.expect({ cmd: 'publish' })).messageId!);
        ids.reverse();
        for (const messageId of ids) subscriber.send({ cmd: 'pubrec', messageId });
        for (const messageId of ids) await subscriber.expect({ cmd: 'pubrel', messageId });
        subscriber.destroy();
      }
    });

    it('to $SYS is refused, and a client of MQTT 3 is closed by it [MQTT 3.1.1, MQTT-3.3.5-2]', async () => {
      for (const qos of [0, 1, 2] as const) {
        const client = await enter(node(), version);
        client.send(message('$SYS/mine', 'no', qos));
        if (version !== 5) await client.expectClosed();
        else if (qos > 0) assert.equal(codeOf((await client.expect({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: 1 })) as object), 0x87);
        if (version === 5) await client.expectQuiet();
      }
    });

    it('with PUBREL for an unknown identifier is answered with PUBCOMP', async () => {
      for (const session of [{}, lasting(version)]) {
        const client = await enter(node(), version, session);
        client.send({ cmd: 'pubrel', messageId: 99 });
        const pubcomp = await client.expect({ cmd: 'pubcomp', messageId: 99 });
        assert.equal(codeOf(pubcomp as object), version === 5 ? 0x92 : 0);
      }
    });

    it('with PUBREC for an unknown identifier is answered with PUBREL', async () => {
      const client = await enter(node(), version);
      client.send({ cmd: 'pubrec', messageId: 99 });
      const pubrel = await client.expect({ cmd: 'pubrel', messageId: 99 });
      assert.equal(codeOf(pubrel as object), version === 5 ? 0x92 : 0);
    });

    it('with PUBREL before its PUBREC is answered and does not lose the next message of the same identifier', async () => {
      const topic = `publish/${version}/early`;
      for (const session of [{}, lasting(version)]) {
        const subscriber = await enter(node(), version);
        await subscribe(subscriber, topic, 0);
        const publisher = await enter(node(), version, session);
        publisher.send(message(topic, 'first', 2, { messageId: 5 }));
        publisher.send({ cmd: 'pubrel', messageId: 5 });
        const answers = [await publisher.next(), await publisher.next()].map(({ cmd }) => cmd);
        assert.deepEqual(answers.sort(), ['pubcomp', 'pubrec']);
        publisher.send({ cmd: 'pubrel', messageId: 5 });
        await publisher.expect({ cmd: 'pubcomp', messageId: 5 });
        await send(publisher, message(topic, 'second', 2, { messageId: 5 }));
        await subscriber.expect({ cmd: 'publish', payload: 'first' });
        await subscriber.expect({ cmd: 'publish', payload: 'second' });
        subscriber.destroy();
      }
    });

    for (const bytes of [0, 1, 127, 128, 16_383, 16_384, 500_000]) {
      it(`carries ${bytes} bytes unchanged`, async () => {
        const topic = `publish/${version}/${bytes}`;
        const payload = Buffer.alloc(bytes, Buffer.from([0, 1, 0xff, 0x80, 7, 13]));
        const client = await enter(node(), version, lasting(version));
        await subscribe(client, topic, 1);
        client.send(message(topic, payload, 1));
        const arrived = [await client.next(), await client.next()];
        const publish = arrived.find(({ cmd }) => cmd === 'publish');
        assert.ok(publish?.cmd === 'publish' && payload.equals(publish.payload as Buffer));
        assert.ok(arrived.some(({ cmd }) => cmd === 'puback'));
      });
    }

    it('goes to topics with any characters and empty levels', async () => {
      const client = await enter(node(), version);
      await subscribe(client, '#', 0);
      for (const topic of ['/', '//', ' ', 'a//b', '/a/', 'ä/€/😀', 'a b/c', '\u{feff}x', 'x'.repeat(65_535)]) {
        client.send(message(topic, 'here', 0));
        await client.expect({ cmd: 'publish', topic, payload: 'here' });
      }
    });
  });
});

forEachStore('PUBLISH of MQTT 5.0', (node) => {
  it('to nobody is acknowledged with 0x10', async () => {
    const client = await enter(node(), 5);
    for (const qos of [1, 2] as const) {
      client.send(message('nobody/here', 'lonely', qos));
      const answer = await client.expect({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: 1 });
      assert.equal(codeOf(answer as object), 0x10);
    }
  });

  it('that the subscriber refuses by its PUBREC is finished [MQTT-4.3.3-4]', async () => {
    for (const session of [{}, lasting(5)]) {
      const client = await enter(node(), 5, { ...session, properties: { ...session.properties, receiveMaximum: 1 } });
      await subscribe(client, 'refused', 2);
      const publisher = await enter(node(), 5);
      await send(publisher, message('refused', 'no', 2));
      await send(publisher, message('refused', 'yes', 2));
      const { messageId } = await client.expect({ cmd: 'publish', payload: 'no' });
      client.send({ cmd: 'pubrec', messageId: messageId!, reasonCode: 0x83 });
      // its place in the window is free without PUBREL and PUBCOMP
      await take(client, { payload: 'yes' });
      await client.expectQuiet();
      client.destroy();
    }
  });

  it('that is refused by its PUBREC leaves its identifier free [MQTT-4.3.3-9]', async () => {
    for (const session of [{}, lasting(5)]) {
      const client = await enter(node(), 5, session);
      await subscribe(client, 'refused/next', 0);
      for (let round = 0; round < 3; round++) {
        client.send(message('$SYS/mine', 'no', 2, { messageId: 4 }));
        await client.expect({ cmd: 'pubrec', messageId: 4, reasonCode: 0x87 });
        client.send(message('refused/next', 'yes', 2, { messageId: 4, dup: true }));
        const packets = [await client.next(), await client.next()];
        assert.ok(packets.some((packet) => packet.cmd === 'publish' && packet.payload.toString() === 'yes'));
        assert.ok(packets.some((packet) => packet.cmd === 'pubrec' && codeOf(packet) === 0));
        client.send({ cmd: 'pubrel', messageId: 4 });
        await client.expect({ cmd: 'pubcomp', messageId: 4 });
      }
    }
  });

  it('that the subscriber refuses does not come again, in a session that goes on either [MQTT-4.4.0-2]', async () => {
    const session = { ...lasting(5), clientId: 'refuses' };
    const client = await enter(node(), 5, session);
    await subscribe(client, 'refused/for-good', 2);
    const publisher = await enter(node(), 5);
    for (const [qos, answer] of [[1, 'puback'], [2, 'pubrec']] as const) {
      await send(publisher, message('refused/for-good', 'no', qos));
      const { messageId } = await client.expect({ cmd: 'publish', payload: 'no' });
      client.send({ cmd: answer, messageId: messageId!, reasonCode: 0x80 });
    }
    await client.expectQuiet();
    client.destroy();
    await (await enter(node(), 5, session)).expectQuiet();
  });
});
