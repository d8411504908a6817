import assert from 'node:assert/strict';
import { openPackets } from '../support/packets.ts';
import { codeOf, enter, message, nodeFor, send, subscribe, take } from './conversation.ts';

const text = { properties: { payloadFormatIndicator: true } };
const bytes = { properties: { payloadFormatIndicator: false } };
const notText = Buffer.from([0x61, 0xff, 0xfe]);

describe('The payload format, checked', () => {
  const node = nodeFor({ set: { 'mqtt.checkPayloadFormat': true } });

  it('of a message that is the UTF-8 it says, or says nothing, is fine', async () => {
    const client = await enter(node(), 5);
    await subscribe(client, 'format/fine', 0);
    const publisher = await enter(node(), 5);
    for (const [payload, more] of [[Buffer.from('käse \0 🧀'), text], [Buffer.alloc(0), text], [notText, bytes], [notText, {}]] as const) {
      for (const qos of [0, 1, 2] as const) {
        await send(publisher, message('format/fine', payload, qos, more));
        await take(client, { payload });
      }
    }
  });

  it('that is not kept is refused with 0x99 in PUBACK and PUBREC, and nobody gets the message [MQTT 5, 3.3.2.3.2]', async () => {
    const client = await enter(node(), 5);
    await subscribe(client, 'format/not', 2);
    const publisher = await enter(node(), 5);
    publisher.send(message('format/not', notText, 1, text));
    await publisher.expect({ cmd: 'puback', reasonCode: 0x99 });
    publisher.send(message('format/not', notText, 2, text));
    await publisher.expect({ cmd: 'pubrec', reasonCode: 0x99 });
    // the identifier is free again [MQTT-4.3.3-4]
    await send(publisher, message('format/not', 'fine', 2, text));
    await take(client, { payload: 'fine' });
    await client.expectQuiet();
  });

  it('that is not kept by a QoS 0 message ends the connection with 0x99', async () => {
    const publisher = await enter(node(), 5);
    publisher.send(message('format/not', notText, 0, text));
    await publisher.expect({ cmd: 'disconnect', reasonCode: 0x99 });
    await publisher.expectClosed();
  });

  it('that a will does not keep refuses its CONNECT with 0x99', async () => {
    const will = { topic: 'format/will', payload: notText, qos: 0 as const, retain: false, ...text };
    const client = await openPackets(node().port, 5);
    assert.equal(codeOf(await client.connect({ will })), 0x99);
    await client.expectClosed();
    await enter(node(), 5, { will: { ...will, payload: Buffer.from('käse') } });
  });
});

describe('The payload format, as it is unless told otherwise', () => {
  const node = nodeFor();

  it('is passed on and not looked at', async () => {
    const client = await enter(node(), 5);
    await subscribe(client, 'format/any', 0);
    await send(client, message('format/any', notText, 0, text));
    assert.equal((await take(client, { payload: notText })).properties?.payloadFormatIndicator, true);
  });
});
