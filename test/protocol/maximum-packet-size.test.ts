import assert from 'node:assert/strict';
import { enter, forEachStore, forEachVersion, lasting, message, nodeFor, send, subscribe, take } from './conversation.ts';

forEachStore('Maximum packet size of the client', (node) => {
  it('keeps larger messages from it, which count as delivered, and brings the others [MQTT-3.1.2-24], [MQTT-3.1.2-25]', async () => {
    for (const session of [{}, lasting(5)]) {
      const client = await enter(node(), 5, { ...session, properties: { ...session.properties, maximumPacketSize: 100 } });
      await subscribe(client, 'size', 2);
      const publisher = await enter(node(), 5);
      for (const qos of [0, 1, 2] as const) {
        await send(publisher, message('size', 'x'.repeat(101), qos));
        await send(publisher, message('size', 'fits', qos));
        await take(client, { payload: 'fits' });
      }
      await client.expectQuiet();
      // to the byte: two of header, six of topic, one of properties
      await send(publisher, message('size', 'x'.repeat(91), 0));
      await client.expect({ cmd: 'publish', payload: 'x'.repeat(91) });
      await send(publisher, message('size', 'x'.repeat(92), 0));
      await client.expectQuiet();
      client.destroy();
    }
  });

  it('takes the text from a DISCONNECT that would be too large [MQTT-3.14.2-3]', async () => {
    const client = await enter(node(), 5, { properties: { maximumPacketSize: 25 } });
    client.send(message('a/+', 'x', 0));
    const { length } = await client.expect({ cmd: 'disconnect', reasonCode: 0x90 });
    assert.equal(length, 1);
  });
});

describe('Maximum packet size of the server', () => {
  const node = nodeFor({ set: { 'mqtt.maxPacketBytes': 1000 } });

  forEachVersion((version) => {
    it('lets a packet of exactly so many bytes through', async () => {
      const client = await enter(node(), version);
      const properties = version === 5 ? 1 : 0;
      client.send(message('size', 'x'.repeat(1000 - 3 - 6 - 2 - properties), 1));
      await client.expect({ cmd: 'puback' });
    });

    it('closes the connection at the header of a larger one', async () => {
      const client = await enter(node(), version);
      client.send(Buffer.from('30e607', 'hex'));
      if (version === 5) await client.expect({ cmd: 'disconnect', reasonCode: 0x95 });
      await client.expectClosed();
    });
  });
});
