import assert from 'node:assert/strict';
import { parser, type IPublishPacket, type Packet } from 'mqtt-packet';
import { BrokerError } from '../../src/base/errors.ts';
import { Message, noBytes } from '../../src/base/message.ts';
import { encodeRecord } from '../../src/codec/record.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { noOrigin, publish } from '../../src/engine/publish.ts';
import { attachClient, encoded, engineAlone, type Attached, type FakeStream } from '../support/engine-alone.ts';
import { eventually } from '../support/eventually.ts';

const highWater = 16_384;
const count = 5000;
const payload = Buffer.alloc(200, 'old ');

function packetsIn(stream: FakeStream): Packet[] {
  const packets: Packet[] = [];
  const parse = parser({ protocolVersion: 4 });
  parse.on('packet', (packet) => packets.push(packet));
  parse.parse(stream.written);
  return packets;
}

function publishesIn(stream: FakeStream): IPublishPacket[] {
  return packetsIn(stream).filter((packet) => packet.cmd === 'publish');
}

function message(topic: string, text: string | Buffer, publishedAt: number): Message {
  return new Message(topic, Buffer.from(text), 1, true, noBytes, 0, publishedAt, 'car');
}

describe('the retained messages of a new subscription', () => {
  let engine: Engine;

  beforeEach(async () => {
    engine = await engineAlone({ 'socket.highWaterBytes': highWater });
    const batch = engine.store.begin();
    for (let i = 0; i < count; i++) {
      engine.store.retained.put(batch, `kept/${i}`, encodeRecord(message(`kept/${i}`, payload, engine.clock.now() - 1000)), 0);
    }
    batch.commit((error) => {
      assert.equal(error, null);
    });
  });

  /** A client that takes nothing, subscribed to everything. */
  async function stuck(clientId: string, qos: 0 | 1 = 0, filters: readonly string[] = ['kept/#']): Promise<Attached> {
    const client = await attachClient(engine, clientId, 4);
    client.stream.isStuck = true;
    client.connection.received(encoded(4, { cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos })) }));
    await eventually(() => client.connection.isCongested || client.connection.session!.delivery.waiting > 0, { what: 'full client' });
    return client;
  }

  /** Everything that can happen now has happened. */
  async function settled(): Promise<void> {
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  }

  for (const qos of [0, 1] as const) {
    it(`wait in the store while the client takes nothing (QoS ${qos})`, async () => {
      const { connection } = await stuck('stuck', qos, ['kept/#', 'kept/+', '#', '+/+']);
      await settled();
      assert.ok(connection.output.waiting <= 2 * highWater, `${connection.output.waiting} bytes wait in the connection`);
      assert.ok(connection.session!.delivery.waiting <= 256, `${connection.session!.delivery.waiting} messages wait`);
    });
  }

  it('all come when the client goes on', async () => {
    const { stream } = await stuck('goes-on');
    stream.unstick();
    await eventually(() => publishesIn(stream).length === count, { what: 'all of them' });
    assert.equal(new Set(publishesIn(stream).map(({ topic }) => topic)).size, count);
    assert.equal(engine.count.dropped.of('slow-client').value, 0);
  });

  it('are left out when a newer one of the topic went to the client since', async () => {
    const { stream, connection } = await stuck('newer', 0);
    // read with the page that is being sent, and not sent yet
    const topics = ['kept/90', 'kept/91'];
    connection.received(encoded(4, { cmd: 'subscribe', messageId: 2, subscriptions: topics.map((topic) => ({ topic, qos: 1 })) }));
    await settled();
    publish(engine, message('kept/90', 'new', engine.clock.now()), noOrigin);
    publish(engine, message('kept/91', '', engine.clock.now()), noOrigin);
    await settled();
    stream.unstick();
    await eventually(() => connection.session!.feed === null, { what: 'end of the feed' });
    await settled();
    const of = (topic: string): [string, boolean][] =>
      publishesIn(stream).filter((packet) => packet.topic === topic).map(({ payload: text, retain }) => [text.toString(), retain]);
    // the second one is for the second subscription
    assert.deepEqual(of('kept/90'), [['new', false], ['new', true]]);
    assert.deepEqual(of('kept/91'), [['', false]]);
    assert.equal(new Set(publishesIn(stream).map(({ topic }) => topic)).size, count);
  });

  it('are not left out when the newer one was dropped, because the client did not keep up', async () => {
    const { stream, connection } = await stuck('dropped', 0);
    publish(engine, message('kept/4999', 'new', engine.clock.now()), noOrigin);
    assert.equal(engine.count.dropped.of('slow-client').value, 1);
    await settled();
    stream.unstick();
    await eventually(() => connection.session!.feed === null, { what: 'end of the feed' });
    await settled();
    assert.deepEqual(publishesIn(stream).filter(({ topic }) => topic === 'kept/4999').map(({ payload: text }) => text.toString()), ['new']);
  });

  it('are not left out for a message without RETAIN, which does not replace them', async () => {
    const { stream, connection } = await stuck('not-replaced', 1);
    publish(engine, new Message('kept/4999', Buffer.from('passing'), 1, false, noBytes, 0, engine.clock.now(), 'car'), noOrigin);
    const acknowledge = (): void => {
      const packets = publishesIn(stream);
      stream.forget();
      seen.push(...packets);
      for (const { messageId } of packets) connection.received(encoded(4, { cmd: 'puback', messageId: messageId! }));
    };
    const seen: IPublishPacket[] = [];
    stream.unstick();
    while (seen.length < count + 1) {
      acknowledge();
      await settled();
    }
    assert.deepEqual(seen.filter(({ topic }) => topic === 'kept/4999').map(({ retain }) => retain), [false, true]);
  });

  for (const [what, end] of [
    ['unsubscribing', ({ connection }) => { connection.received(encoded(4, { cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['kept/#'] })); }],
    ['disconnecting', ({ connection }) => { connection.received(encoded(4, { cmd: 'disconnect' })); }],
    ['losing the connection', ({ stream }) => { stream.destroy(); }],
  ] as readonly [string, (client: Attached) => void][]) {
    it(`end with ${what}`, async () => {
      const client = await stuck('ends');
      const session = client.connection.session!;
      const feed = session.feed!;
      end(client);
      await settled();
      const before = publishesIn(client.stream).length;
      client.stream.unstick();
      await eventually(() => session.feed === null, { what: 'end of the feed' });
      await settled();
      assert.notEqual(feed, null);
      // what waited in the connection
      assert.ok(publishesIn(client.stream).length - before <= (2 * highWater) / payload.length);
    });
  }

  it('begin again with a new subscription to the same filter, and the earlier one ends', async () => {
    const { stream, connection } = await stuck('again');
    connection.received(encoded(4, { cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'kept/#', qos: 0 }] }));
    await settled();
    stream.unstick();
    await eventually(() => connection.session!.feed === null, { what: 'end of the feed' });
    await settled();
    const publishes = publishesIn(stream);
    assert.equal(new Set(publishes.map(({ topic }) => topic)).size, count);
    assert.ok(publishes.length < count + 300, `${publishes.length} messages for two subscriptions, one of them cut short`);
  });

  it('of many subscribers are fetched by turns: two pages at a time, and the first page of each at once', async () => {
    const { retained } = engine.store;
    const match = retained.match.bind(retained);
    let underWay = 0;
    let most = 0;
    retained.match = (filter) => {
      const walk = match(filter);
      let isFirst = true;
      return {
        next: async () => {
          if (isFirst) {
            isFirst = false;
            return walk.next();
          }
          most = Math.max(most, ++underWay);
          await new Promise(setImmediate);
          return walk.next().finally(() => underWay--);
        },
      };
    };
    const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => attachClient(engine, `many-${i}`, 4)));
    for (const { connection } of clients) connection.received(encoded(4, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] }));
    await eventually(() => clients.every(({ connection }) => connection.session!.feed === null && !connection.isBusy), { what: 'end of all feeds', withinMs: 20_000 });
    assert.equal(most, 2);
    for (const { stream } of clients) assert.equal(publishesIn(stream).length, count);
  });

  it('all come, each once, when the store is away in between', async () => {
    const { retained } = engine.store;
    const match = retained.match.bind(retained);
    let calls = 0;
    retained.match = (filter) => {
      const walk = match(filter);
      return {
        next: () => (++calls % 5 === 0 ? Promise.reject(new BrokerError('store-unavailable', 'away')) : walk.next()),
      };
    };
    const { stream, connection } = await attachClient(engine, 'patient', 4);
    connection.received(encoded(4, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'kept/+', qos: 0 }] }));
    await eventually(() => publishesIn(stream).length >= count, { what: 'all of them' });
    await settled();
    assert.ok(calls > count / 100);
    assert.equal(publishesIn(stream).length, count);
    assert.equal(new Set(publishesIn(stream).map(({ topic }) => topic)).size, count);
  });

  it('a topic that cannot be read is passed over and counted', async () => {
    const batch = engine.store.begin();
    engine.store.retained.put(batch, 'foreign', Buffer.from('no record'), 0);
    batch.commit(() => undefined);
    const { stream, connection } = await attachClient(engine, 'reader', 4);
    connection.received(encoded(4, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'foreign', qos: 0 }, { topic: 'kept/7', qos: 0 }] }));
    await eventually(() => engine.count.dropped.of('unreadable').value === 1, { what: 'count' });
    await settled();
    assert.deepEqual(publishesIn(stream).map(({ topic }) => topic), ['kept/7']);
  });
});
