import assert from 'node:assert/strict';
import type { IPublishPacket } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import type { PacketClient } from '../support/packets.ts';
import { startCanary } from './canary.ts';
import { counted, enter, forEachStore, lasting, leave, message, send, type Place } from './conversation.ts';

const count = 20_000;
/** Less than a page of retained messages, and less than a window. */
const queueLimit = 50;

/** Retains `count` messages of QoS 1 under `many/<tens>/<n>`. */
async function retainMany(node: Place): Promise<void> {
  const publisher = await enter(node, 4);
  for (let i = 0; i < count; i++) publisher.send(message(`many/${i % 10}/${i}`, `state ${i}`, 1, { retain: true, messageId: (i % 60_000) + 1 }));
  for (let i = 0; i < count; i++) await publisher.expect({ cmd: 'puback' }, 20_000);
  await send(publisher, message('end', 'of it', 1, { retain: true }));
  await leave(publisher);
}

function ask(client: PacketClient, topic: string, qos: 0 | 1 | 2): void {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] });
}

/** The next message; acknowledged unless it is kept waiting. */
async function nextMessage(client: PacketClient, isAcknowledged = true): Promise<IPublishPacket> {
  for (;;) {
    const packet = await client.next(20_000, 'a retained message');
    if (packet.cmd !== 'publish') continue;
    if (isAcknowledged && packet.qos === 1) client.send({ cmd: 'puback', messageId: packet.messageId! });
    return packet;
  }
}

/** Takes `count` messages, all different. */
async function takeAll(client: PacketClient): Promise<void> {
  const topics = new Set<string>();
  for (let i = 0; i < count; i++) {
    const packet = await nextMessage(client);
    assert.equal(packet.retain, true);
    topics.add(packet.topic);
  }
  assert.equal(topics.size, count);
}

/** Everything that comes before this topic. */
async function takeUntil(client: PacketClient, topic: string): Promise<IPublishPacket[]> {
  const messages: IPublishPacket[] = [];
  for (let packet = await nextMessage(client); packet.topic !== topic; packet = await nextMessage(client)) messages.push(packet);
  return messages;
}

forEachStore(
  `${count} retained messages for one subscription`,
  (node) => {
    before(() => retainMany(node()));

    const dropped = (reason: string): Promise<number> => counted(node(), 'swarmq_messages_dropped_total', `reason="${reason}"`);

    afterEach(async () => {
      assert.equal(await dropped('queue-full'), 0);
      assert.equal(await dropped('slow-client'), 0);
    });

    for (const [name, session] of [['a clean session', {}], ['a lasting session', lasting(4)]] as const) {
      it(`reach ${name} with a queue of ${queueLimit}, each once`, async () => {
        const client = await enter(node(), 4, session);
        ask(client, 'many/#', 1);
        await takeAll(client);
        await client.expectQuiet();
        await leave(client);
      });

      it(`stop when ${name} unsubscribes in the middle`, async () => {
        const client = await enter(node(), 4, session);
        ask(client, 'many/#', 1);
        for (let i = 0; i < 1000; i++) await nextMessage(client);
        client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['many/#'] });
        // filters have their turns page by page: what still went on would show between these
        for (let turn = 1; turn <= 10; turn++) {
          ask(client, 'end', 1);
          const { length } = await takeUntil(client, 'end');
          assert.ok(turn < 10 || length === 0, `${length} messages still come`);
        }
        await leave(client);
      });
    }

    it('come as far as they were queued when a lasting client leaves in the middle and comes back; a new subscription brings all', async () => {
      const session = { ...lasting(4), clientId: 'in-the-middle' };
      const client = await enter(node(), 4, session);
      ask(client, 'many/+/+', 1);
      const first = await nextMessage(client, false);
      client.destroy();
      const again = await enter(node(), 4, session);
      const publisher = await enter(node(), 4);
      await send(publisher, message('many/later/1', 'live', 1));
      const messages = await takeUntil(again, 'many/later/1');
      assert.deepEqual({ topic: messages[0]?.topic, dup: messages[0]?.dup }, { topic: first.topic, dup: true });
      assert.ok(messages.length <= queueLimit, `${messages.length} messages were queued`);
      assert.ok(messages.every(({ retain }) => retain));
      ask(again, 'many/+/+', 1);
      await takeAll(again);
      await again.expectQuiet();
    });

    it('wait for clients that do not read, and disturb nobody meanwhile', async () => {
      const canary = await startCanary(node().port);
      const slow = await Promise.all([0, 1].map(async (qos) => {
        const client = await enter(node(), 4);
        client.pause();
        ask(client, 'many/#', qos as 0 | 1);
        return client;
      }));
      const before = canary.count;
      for (let i = 0; i < 50; i++) {
        const client = await enter(node(), 5);
        ask(client, i % 2 === 0 ? `many/${i % 10}/${i}` : `many/+/${i}`, 1);
        assert.equal((await nextMessage(client)).payload.toString(), `state ${i}`);
        client.destroy();
      }
      await eventually(() => canary.count > before + 20, { what: 'song of the canary' });
      for (const client of slow) client.resume();
      await Promise.all(slow.map(takeAll));
      await canary.stop();
    });

    it('do not hold up those of later subscriptions of the same client', async () => {
      const client = await enter(node(), 4);
      ask(client, 'many/#', 0);
      ask(client, 'end', 0);
      ask(client, 'many/+/1235', 0);
      const before = (await takeUntil(client, 'end')).length + (await takeUntil(client, 'many/5/1235')).length;
      // the broad one has it too, in its second half
      assert.ok(before < count / 4, `${before} messages came before`);
      client.destroy();
    });

    it('are none for a shared subscription', async () => {
      const client = await enter(node(), 5);
      ask(client, '$share/group/many/#', 1);
      await client.expect({ cmd: 'suback' });
      await client.expectQuiet();
    });
  },
  { set: { 'queue.maxMessages': queueLimit } },
);

const most = 3;

forEachStore(
  'Retained messages over their limit',
  (node) => {
    const dropped = (): Promise<number> => counted(node(), 'swarmq_messages_dropped_total', 'reason="retained-full"');
    const gauge = (value: number): Promise<true> =>
      eventually(
        async () => {
          const each = await Promise.all(node().nodes.map((one) => counted({ nodes: [one] }, 'swarmq_retained_messages')));
          return each.every((known) => known === value);
        },
        { what: `${value} retained messages in the metrics` },
      );

    it('are delivered, acknowledged and counted, and not retained; what is there can be replaced and removed', async () => {
      const watcher = await enter(node(), 5);
      watcher.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'limit/#', qos: 0, rh: 2 }] });
      await watcher.expect({ cmd: 'suback' });
      const publisher = await enter(node(), 5);
      for (const [i, qos] of ([0, 1, 2, 0, 1, 2] as const).entries()) {
        await send(publisher, message(`limit/${i}`, `first ${i}`, qos, { retain: true }));
        await watcher.expect({ cmd: 'publish', topic: `limit/${i}`, payload: `first ${i}` });
      }
      assert.equal(await dropped(), 3);
      await gauge(most);
      const line = await Promise.any(node().nodes.map((one) => one.logged('a message of a new topic is not retained')));
      assert.equal(line['topic'], 'limit/3');

      await send(publisher, message('limit/0', 'second', 1, { retain: true }));
      await send(publisher, message('limit/1', '', 1, { retain: true }));
      await send(publisher, message('limit/4', 'second', 1, { retain: true }));
      await send(publisher, message('limit/5', 'second', 1, { retain: true }));
      assert.equal(await dropped(), 4);
      const client = await enter(node(), 5);
      ask(client, 'limit/#', 1);
      const kept = [await nextMessage(client), await nextMessage(client), await nextMessage(client)];
      await client.expectQuiet();
      assert.deepEqual(kept.map(({ topic, payload }) => `${topic} ${payload.toString()}`).sort(), ['limit/0 second', 'limit/2 first 2', 'limit/4 second']);
      for (const { topic } of kept) await send(publisher, message(topic, '', 1, { retain: true }));
      await gauge(0);
      assert.equal(await counted(node(), 'swarmq_retained_bytes'), 0);
    });

    it('find room when others expired, without anybody asking for those', async () => {
      const publisher = await enter(node(), 5);
      const expired = await counted(node(), 'swarmq_retained_expired_total');
      for (let i = 0; i < most; i++) {
        await send(publisher, message(`expires/${i}`, 'short', 1, { retain: true, properties: { messageExpiryInterval: 1 } }));
      }
      await gauge(most);
      await gauge(0);
      assert.equal((await counted(node(), 'swarmq_retained_expired_total')) - expired, most);
      await send(publisher, message('expires/new', 'kept', 1, { retain: true }));
      const client = await enter(node(), 5);
      ask(client, 'expires/#', 1);
      assert.equal((await nextMessage(client)).topic, 'expires/new');
      await client.expectQuiet();
      await send(publisher, message('expires/new', '', 1, { retain: true }));
    });
  },
  { set: { 'retained.maxMessages': most } },
);
