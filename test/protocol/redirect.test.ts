import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { startNode } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';
import { closedBy, codeOf, enter, forEachVersion, leave, nodeFor } from './conversation.ts';

const elsewhere = 'mqtt-2.example.com:8883 [fe80::1]:1883';

describe('A node that leaves', () => {
  it('sends clients of MQTT 5 to the configured server with 0x9C, and closes the others', async () => {
    const node = await startNode({ set: { 'redirect.temporary': elsewhere } });
    const young = await enter(node, 5);
    const discreet = await enter(node, 5, { properties: { requestProblemInformation: false } });
    const old = await enter(node, 4);
    const stopped = node.stop();
    const { properties } = (await young.expect({ cmd: 'disconnect', reasonCode: 0x9c })) as { properties?: { serverReference?: string; reasonString?: string } };
    assert.equal(properties?.serverReference, elsewhere);
    assert.match(properties.reasonString ?? '', /leaving/);
    const quiet = (await discreet.expect({ cmd: 'disconnect', reasonCode: 0x9c })) as { properties?: { serverReference?: string; reasonString?: string } };
    assert.deepEqual({ ...quiet.properties }, { serverReference: elsewhere });
    await old.expectClosed();
    await stopped;
  });

  it('says 0x8B, Server shutting down, when no other server is configured', async () => {
    const node = await startNode();
    const client = await enter(node, 5);
    const stopped = node.stop();
    await client.expect({ cmd: 'disconnect', reasonCode: 0x8b });
    await client.expectClosed();
    await stopped;
  });
});

describe('A node that is full', () => {
  const node = nodeFor({ set: { 'mqtt.maxConnections': 1, 'redirect.temporary': elsewhere } });

  forEachVersion((version) => {
    it(version === 5 ? 'sends a client to the configured server with 0x9C' : 'refuses a client with return code 3, Server unavailable', async () => {
      const before = await closedBy(node(), 'quota-exceeded');
      const first = await enter(node(), 5);
      const second = await openPackets(node().port, version);
      const connack = await second.connect();
      assert.equal(codeOf(connack), version === 5 ? 0x9c : 3);
      assert.equal(connack.properties?.serverReference, version === 5 ? elsewhere : undefined);
      await second.expectClosed();
      assert.equal(await closedBy(node(), 'quota-exceeded'), before + 1);
      await leave(first);
      const third = await eventually(() => enter(node(), version), { what: 'room again' });
      await leave(third);
    });
  });
});

describe('A server that has moved', () => {
  const node = nodeFor({ set: { 'redirect.permanent': elsewhere } });

  forEachVersion((version) => {
    it(version === 5 ? 'sends every client to the new one with 0x9D' : 'refuses every client with return code 3, Server unavailable', async () => {
      const client = await openPackets(node().port, version);
      const connack = await client.connect();
      assert.equal(codeOf(connack), version === 5 ? 0x9d : 3);
      assert.equal(connack.properties?.serverReference, version === 5 ? elsewhere : undefined);
      await client.expectClosed();
    });
  });

  it('leaves out the reason string when the client wants no problem information, and never the reference', async () => {
    const client = await openPackets(node().port, 5);
    const { properties } = await client.connect({ properties: { requestProblemInformation: false } });
    assert.deepEqual({ ...properties }, { serverReference: elsewhere });
    const curious = await openPackets(node().port, 5);
    assert.match((await curious.connect()).properties?.reasonString ?? '', /moved/);
  });

  it('leaves out what makes CONNACK larger than the client takes [MQTT-3.2.2-19]', async () => {
    for (const [maximumPacketSize, expected] of [[70, ['serverReference']], [20, []]] as const) {
      const client = await openPackets(node().port, 5);
      const connack = await client.connect({ properties: { maximumPacketSize } });
      assert.equal(codeOf(connack), 0x9d);
      assert.deepEqual(Object.keys(connack.properties ?? {}), expected);
    }
  });
});
