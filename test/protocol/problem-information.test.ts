import assert from 'node:assert/strict';
import type { Packet } from 'mqtt-packet';
import type { PacketClient } from '../support/packets.ts';
import { enter, forEachStore, message } from './conversation.ts';

const propertiesOf = (packet: Packet): string[] => Object.keys(('properties' in packet ? packet.properties : undefined) ?? {});

/** Provokes every answer that may say what went wrong, up to the DISCONNECT. */
async function provoke(client: PacketClient): Promise<{ answers: Packet[]; disconnect: Packet }> {
  client.send(message('nobody/is/there', 'x', 1));
  client.send(message('$SYS/mine', 'x', 1));
  client.send(message('$SYS/mine', 'x', 2));
  client.send({ cmd: 'pubrel', messageId: 99 });
  client.send({ cmd: 'pubrec', messageId: 99 });
  client.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: `${'x/'.repeat(128)}x`, qos: 0 }] });
  client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['never/subscribed'] });
  const answers: Packet[] = [];
  while (answers.length < 7) answers.push(await client.next());
  client.send(message('a/+', 'x', 0));
  return { answers, disconnect: await client.expect({ cmd: 'disconnect', reasonCode: 0x90 }) };
}

const codeIn = (packet: Packet): number => {
  if (packet.cmd === 'suback' || packet.cmd === 'unsuback') return packet.granted[0] as number;
  return 'reasonCode' in packet ? (packet.reasonCode ?? 0) : 0;
};

forEachStore('Problem information', (node) => {
  it('that is not wanted is a code in each answer, and nothing more [MQTT-3.1.2-29]', async () => {
    const client = await enter(node(), 5, { properties: { requestProblemInformation: false } });
    const { answers, disconnect } = await provoke(client);
    const codes = answers.map((packet) => [packet.cmd, codeIn(packet)].join(' '));
    assert.deepEqual(codes.sort(), ['puback 16', 'puback 135', 'pubcomp 146', 'pubrec 135', 'pubrel 146', 'suback 143', 'unsuback 17'].sort());
    for (const packet of [...answers, disconnect]) assert.deepEqual(propertiesOf(packet), [], packet.cmd);
  });

  it('that is wanted is a reason string in DISCONNECT, and no session expiry is [MQTT-3.14.2-2]', async () => {
    const { disconnect } = await provoke(await enter(node(), 5));
    assert.deepEqual(propertiesOf(disconnect), ['reasonString']);
  });
});
