import assert from 'node:assert/strict';
import type { IConnackPacket } from 'mqtt-packet';
import { openPackets, type PacketClient, type ProtocolVersion } from '../support/packets.ts';
import { codeOf, enter, forEachVersion, message, nodeFor, send, subscribe, take } from './conversation.ts';

/** The end of a connection that went beyond: MQTT 5 is told why, MQTT 3 cannot be. */
async function expectEnd(client: PacketClient, reasonCode: number): Promise<void> {
  if (client.version === 5) await client.expect({ cmd: 'disconnect', reasonCode });
  await client.expectClosed();
}

/** A CONNECT that is refused: MQTT 3 has no return code for it. */
async function expectRefusal(client: PacketClient, packet: object, code: number): Promise<void> {
  if (client.version === 5) {
    assert.equal(codeOf(await client.connect(packet)), code);
  } else {
    await assert.rejects(client.connect(packet), /closed/);
  }
  await client.expectClosed();
}

const propertiesOf = async (port: number): Promise<NonNullable<IConnackPacket['properties']>> =>
  (await (await openPackets(port, 5)).connect()).properties ?? {};

describe('A server that offers everything', () => {
  const node = nodeFor();

  it('says nothing of it in CONNACK [MQTT 5, 3.2.2.3]', async () => {
    const { maximumQoS, retainAvailable, wildcardSubscriptionAvailable, subscriptionIdentifiersAvailable, sharedSubscriptionAvailable } =
      await propertiesOf(node().port);
    for (const said of [maximumQoS, retainAvailable, wildcardSubscriptionAvailable, subscriptionIdentifiersAvailable, sharedSubscriptionAvailable]) {
      assert.equal(said, undefined);
    }
  });
});

for (const maximumQos of [0, 1] as const) {
  describe(`A server whose maximum QoS is ${maximumQos}`, () => {
    const node = nodeFor({ set: { 'mqtt.maximumQos': maximumQos } });
    const tooHigh = ([1, 2] as const).filter((qos) => qos > maximumQos);

    it('says so in CONNACK [MQTT-3.2.2-9]', async () => {
      assert.equal((await propertiesOf(node().port)).maximumQoS, maximumQos);
    });

    forEachVersion((version) => {
      it('takes a SUBSCRIBE of any QoS and grants its own at most [MQTT-3.2.2-10]', async () => {
        const client = await enter(node(), version);
        for (const qos of [0, 1, 2] as const) assert.equal(await subscribe(client, `max/${version}`, qos), Math.min(qos, maximumQos));
        await send(await enter(node(), version), message(`max/${version}`, 'x', maximumQos));
        await take(client, { payload: 'x', qos: maximumQos });
      });

      it('ends the connection of a client that publishes above it, MQTT 5 with 0x9B [MQTT-3.2.2-11]', async () => {
        for (const qos of tooHigh) {
          const client = await enter(node(), version);
          client.send(message('max/above', 'x', qos));
          await expectEnd(client, 0x9b);
        }
      });

      it('refuses a will above it, MQTT 5 with 0x9B [MQTT-3.2.2-12]', async () => {
        for (const qos of tooHigh) {
          const will = { topic: 'max/will', payload: Buffer.from('x'), qos, retain: false };
          await expectRefusal(await openPackets(node().port, version), { will }, 0x9b);
        }
        const will = { topic: 'max/will', payload: Buffer.from('x'), qos: maximumQos, retain: false };
        await enter(node(), version, { will });
      });
    });
  });
}

describe('A server that retains nothing', () => {
  const node = nodeFor({ set: { 'mqtt.retainAvailable': false } });

  it('says so in CONNACK', async () => {
    assert.equal((await propertiesOf(node().port)).retainAvailable, false);
  });

  forEachVersion((version) => {
    it('ends the connection of a client that publishes a retained message, MQTT 5 with 0x9A [MQTT-3.2.2-14]', async () => {
      for (const qos of [0, 1] as const) {
        const client = await enter(node(), version);
        client.send(message('retain/no', 'x', qos, { retain: true }));
        await expectEnd(client, 0x9a);
      }
      const late = await enter(node(), version);
      await subscribe(late, 'retain/#', 1);
      await late.expectQuiet();
    });

    it('refuses a retained will, MQTT 5 with 0x9A [MQTT-3.2.2-13]', async () => {
      const will = { topic: 'retain/will', payload: Buffer.from('x'), qos: 0 as const, retain: true };
      await expectRefusal(await openPackets(node().port, version), { will }, 0x9a);
    });
  });
});

describe('A server without wildcards, shared subscriptions and subscription identifiers', () => {
  const node = nodeFor({ set: { 'mqtt.wildcardsAvailable': false, 'mqtt.sharedAvailable': false, 'mqtt.subscriptionIdsAvailable': false } });
  const missing: readonly [what: string, filter: string, properties: object, code: number][] = [
    ['a wildcard', 'offer/+', {}, 0xa2],
    ['a wildcard', '#', {}, 0xa2],
    ['a shared subscription', '$share/g/offer', {}, 0x9e],
    ['a subscription identifier', 'offer', { subscriptionIdentifier: 1 }, 0xa1],
  ];

  it('says so in CONNACK', async () => {
    const { wildcardSubscriptionAvailable, subscriptionIdentifiersAvailable, sharedSubscriptionAvailable } = await propertiesOf(node().port);
    assert.deepEqual([wildcardSubscriptionAvailable, subscriptionIdentifiersAvailable, sharedSubscriptionAvailable], [false, false, false]);
  });

  for (const [what, topic, properties, reasonCode] of missing) {
    it(`disconnects a client of MQTT 5 that asks for ${what} with 0x${reasonCode.toString(16)} (${topic}) [MQTT 5, 3.2.2.3]`, async () => {
      const client = await enter(node(), 5);
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }], properties });
      await expectEnd(client, reasonCode);
    });
  }

  for (const version of [3, 4] as ProtocolVersion[]) {
    it(`refuses such subscriptions of MQTT ${version === 3 ? '3.1' : '3.1.1'} in SUBACK, and grants the others`, async () => {
      const client = await enter(node(), version);
      for (const filter of ['offer/+', '#', '$share/g/offer']) assert.equal(await subscribe(client, filter, 1), 0x80);
      assert.equal(await subscribe(client, 'offer/plain', 1), 1);
      const publisher = await enter(node(), version);
      await send(publisher, message('offer/plain', 'x', 1));
      await take(client, { payload: 'x' });
    });
  }
});
