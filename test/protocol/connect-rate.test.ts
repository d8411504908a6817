import assert from 'node:assert/strict';
import { figure } from '../chaos/operator.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';
import { codeOf, enter, forEachVersion, message, nodeFor, subscribe } from './conversation.ts';

describe('More connects than the node takes in a second', () => {
  // a token comes every 100 ms, none is put by, and one may wait
  const node = nodeFor({ set: { 'mqtt.connectsPerSecond': 10, 'mqtt.maxWaitingConnects': 1 } });

  forEachVersion((version) => {
    it('are answered in their turn, refused where too many wait, and disturb no one', async () => {
      const before = await figure([node()], 'swarmq_connects_refused_total');
      const live = await enter(node(), version);
      await subscribe(live, `rate/${version}`, 1);
      const storm = await Promise.all(Array.from({ length: 10 }, () => openPackets(node().port, version)));
      const answers = Promise.all(storm.map(async (client) => codeOf(await client.connect())));
      live.send(message(`rate/${version}`, 'undisturbed', 0));
      await live.expect({ cmd: 'publish', payload: 'undisturbed' });
      const codes = await answers;
      const refused = codes.filter((code) => code === (version === 5 ? 0x97 : 3)).length;
      assert.equal(refused + codes.filter((code) => code === 0).length, 10, `only those two answers, but ${codes.join(', ')}`);
      assert.ok(refused >= 7, `${refused} of 10 refused`);
      assert.equal(await figure([node()], 'swarmq_connects_refused_total'), before + refused);
      const isRefused = (_: PacketClient, i: number): boolean => codes[i] !== 0;
      for (const client of storm.filter(isRefused)) await client.expectClosed();
      for (const client of [live, ...storm]) client.destroy();
      assert.match(String((await node().logged('a connection was closed'))['reason']), /takes 10 connects per second/);
    });
  });
});

describe('More connects than the node takes, and another server to go to', () => {
  const node = nodeFor({ set: { 'mqtt.connectsPerSecond': 1, 'mqtt.maxWaitingConnects': 0, 'redirect.temporary': 'other.example:1883' } });

  it('sends clients of MQTT 5 there [MQTT 5, 4.11]', async () => {
    await enter(node(), 5);
    const client = await openPackets(node().port, 5);
    const { reasonCode, properties } = await client.connect();
    assert.deepEqual([reasonCode, properties?.serverReference], [0x9c, 'other.example:1883']);
    await client.expectClosed();
  });
});
