import assert from 'node:assert/strict';
import { generate, type IConnectPacket, type Packet } from 'mqtt-packet';
import { startCluster, type TestCluster, type TestNode } from '../support/node.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';

const mostIds = 65_535;
const idOf = (number: number): number => ((number - 1) % mostIds) + 1;
/** QoS 1 and 2 take turns where it matters; before that QoS 1 is faster. */
const turnsFrom = 65_400;
const qosOf = (number: number): 1 | 2 => (number >= turnsFrom && number % 2 === 0 ? 2 : 1);

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** P2: more messages than there are packet identifiers, through one session. */
describe('a session of more than 65,535 messages', function () {
  this.timeout(120_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startCluster(2);
  });

  after(async () => {
    await cluster.stop();
  });

  for (const version of [4, 5] as const) {
    it(`uses identifiers again, but none that is still out, and goes on at another node across the wrap (version ${version})`, async () => {
      const topic = `wrap/${version}`;
      const properties = { sessionExpiryInterval: 3600, receiveMaximum: 100 };
      const connect: Partial<IConnectPacket> = { clientId: `wrap-${version}`, clean: false, ...(version === 5 ? { properties } : {}) };
      const enter = async (node: TestNode): Promise<PacketClient> => {
        const client = await openPackets(node.port, version);
        await client.connect(connect);
        return client;
      };
      const publisher = await openPackets(cluster.node(1).port, version);
      await publisher.connect();
      let published = 0;

      const packet = (number: number): Packet => ({ cmd: 'publish', topic, payload: String(number), qos: qosOf(number), dup: false, retain: false, messageId: idOf(number) });
      /** Publishes up to this number, all of QoS 1. */
      const publishMany = async (upTo: number): Promise<void> => {
        const packets = Array.from({ length: upTo - published }, (_, i) => generate(packet(published + i + 1), { protocolVersion: version }));
        publisher.send(Buffer.concat(packets));
        for (; published < upTo; published++) await publisher.expect({ cmd: 'puback', messageId: idOf(published + 1) });
      };
      const publishTo = async (upTo: number): Promise<void> => {
        for (; published < upTo; published++) {
          const messageId = idOf(published + 1);
          publisher.send(packet(published + 1));
          if (qosOf(published + 1) === 1) {
            await publisher.expect({ cmd: 'puback', messageId });
          } else {
            await publisher.expect({ cmd: 'pubrec', messageId });
            publisher.send({ cmd: 'pubrel', messageId });
            await publisher.expect({ cmd: 'pubcomp', messageId });
          }
        }
      };
      const arrives = (client: PacketClient, number: number, dup: boolean): Promise<Packet> =>
        client.expect({ cmd: 'publish', messageId: idOf(number), payload: String(number), qos: qosOf(number), dup });
      const finish = async (client: PacketClient, number: number): Promise<void> => {
        const messageId = idOf(number);
        if (qosOf(number) === 1) {
          client.send({ cmd: 'puback', messageId });
        } else {
          client.send({ cmd: 'pubrec', messageId });
          await client.expect({ cmd: 'pubrel', messageId });
          client.send({ cmd: 'pubcomp', messageId });
        }
      };
      /** These come, all of them, and are finished then. */
      const passes = async (client: PacketClient, numbers: readonly number[]): Promise<void> => {
        for (const number of numbers) await arrives(client, number, false);
        for (const number of numbers) await finish(client, number);
      };

      const onA = await enter(cluster.node(0));
      onA.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 2 }] });
      await onA.expect({ cmd: 'suback' });
      const held = 20;
      for (let from = 1; from < turnsFrom; from += 600) {
        const upTo = Math.min(from + 599, turnsFrom - 1);
        const publishing = publishMany(upTo);
        for (const number of range(from, upTo)) {
          await arrives(onA, number, false);
          if (number !== held) onA.send({ cmd: 'puback', messageId: idOf(number) });
        }
        await publishing;
      }

      // a window on both sides of the wrap, of which one QoS 2 message was received
      const received = 65_500;
      const across = range(65_490, 65_545);
      await publishTo(across[0]! - 1);
      await passes(onA, range(turnsFrom, across[0]! - 1));
      await publishTo(across.at(-1)!);
      for (const number of across) await arrives(onA, number, false);
      onA.send({ cmd: 'pubrec', messageId: idOf(received) });
      await onA.expect({ cmd: 'pubrel', messageId: idOf(received) });
      onA.destroy();

      const onB = await enter(cluster.node(1));
      await onB.expect({ cmd: 'pubrel', messageId: idOf(received) });
      await arrives(onB, held, true);
      const open = across.filter((number) => number !== received);
      for (const number of open) await arrives(onB, number, true);
      onB.send({ cmd: 'pubcomp', messageId: idOf(received) });
      for (const number of open) await finish(onB, number);
      await onB.expectQuiet();

      // the identifier of the one that is held is not used again before it is free
      const blocked = held + mostIds;
      await publishTo(blocked + 10);
      await passes(onB, range(across.at(-1)! + 1, blocked - 1));
      await onB.expectQuiet();
      onB.destroy();

      const onAAgain = await enter(cluster.node(0));
      await arrives(onAAgain, held, true);
      await onAAgain.expectQuiet();
      await finish(onAAgain, held);
      await passes(onAAgain, range(blocked, blocked + 10));
      await onAAgain.expectQuiet();
      assert.equal(published, blocked + 10);
      for (const client of [onAAgain, publisher]) client.destroy();
    });
  }
});
