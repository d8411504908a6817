import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { parser, type Packet } from 'mqtt-packet';
import type { Engine } from '../../src/engine/engine.ts';
import { attachClient, encoded, engineAlone, type Attached } from '../support/engine-alone.ts';
import { eventually } from '../support/eventually.ts';

const count = 1000;

const publications = (qos: 0 | 1 | 2, topic = 'turn/x'): Packet[] =>
  Array.from({ length: count }, (_, i) => ({
    cmd: 'publish',
    topic,
    payload: String(i),
    qos,
    dup: false,
    retain: false,
    ...(qos > 0 ? { messageId: i + 1 } : {}),
  }));

function packetsIn(bytes: Buffer): Packet[] {
  const packets: Packet[] = [];
  const parse = parser({ protocolVersion: 5 });
  parse.on('packet', (packet) => packets.push(packet));
  parse.parse(bytes);
  return packets;
}

const setup = async (): Promise<{ engine: Engine; publisher: Attached; subscriber: Attached }> => {
  const engine = await engineAlone();
  const publisher = await attachClient(engine, 'publisher', 5);
  const subscriber = await attachClient(engine, 'subscriber', 5, ['turn/#']);
  return { engine, publisher, subscriber };
};

describe('A turn of the event loop', () => {
  it(`with ${count} QoS 1 messages is one commit, and one write for each connection`, async () => {
    const { engine, publisher, subscriber } = await setup();
    const commits = engine.count.commits.value;
    publisher.connection.received(encoded(5, ...publications(1)));
    await eventually(() => publisher.stream.writes > 0 && subscriber.stream.writes > 0, { what: 'writes' });
    assert.equal(engine.count.commits.value - commits, 1);
    assert.equal(publisher.stream.writes, 1);
    assert.equal(subscriber.stream.writes, 1);
    assert.deepEqual(packetsIn(publisher.stream.written).map(({ cmd }) => cmd), new Array(count).fill('puback'));
    const arrived = packetsIn(subscriber.stream.written).map((packet) => packet.cmd === 'publish' && packet.payload.toString());
    assert.deepEqual(arrived, Array.from({ length: count }, (_, i) => String(i)));
  });

  it(`with ${count} QoS 0 messages is one write, and no commit when nobody elsewhere wants them`, async () => {
    const { engine, publisher, subscriber } = await setup();
    const commits = engine.count.commits.value;
    publisher.connection.received(encoded(5, ...publications(0)));
    await eventually(() => subscriber.stream.writes > 0, { what: 'a write' });
    assert.equal(subscriber.stream.writes, 1);
    assert.equal(engine.count.commits.value, commits);
    assert.equal(packetsIn(subscriber.stream.written).length, count);
  });

  it('makes no promise for a message', (done) => {
    void setup().then(({ publisher, subscriber }) => {
      let promises = 0;
      const hook = createHook({ init: (_id, type) => void (type === 'PROMISE' && promises++) });
      const bytes = encoded(5, ...publications(1));
      hook.enable();
      publisher.connection.received(bytes);
      const look = (turns: number): void => {
        if (turns > 0) {
          setImmediate(look, turns - 1);
          return;
        }
        hook.disable();
        try {
          assert.equal(packetsIn(publisher.stream.written).length, count);
          assert.equal(packetsIn(subscriber.stream.written).length, count);
          assert.ok(promises <= 10, `${promises} promises for ${count} messages`);
          done();
        } catch (error) {
          done(error);
        }
      };
      look(10);
    }, done);
  });

  it('keeps a buffer for nobody who has nothing to say', async () => {
    const { publisher, subscriber } = await setup();
    for (const { connection } of [publisher, subscriber]) {
      assert.equal(connection.output.waiting, 0);
      assert.equal(connection.reader.buffered, 0);
      assert.equal(connection.output.isEmpty, true);
    }
  });
});

describe('A client that does not read', () => {
  it('gets no more QoS 0 over the high-water mark, counted; QoS 1 waits, and goes on when it reads', async () => {
    const engine = await engineAlone({ 'socket.highWaterBytes': 16_384 });
    const publisher = await attachClient(engine, 'publisher', 5);
    const slow = await attachClient(engine, 'slow', 5, ['turn/#']);
    slow.stream.isStuck = true;
    const payload = Buffer.alloc(1000);
    const messages = (qos: 0 | 1): Packet[] => publications(qos).map((packet) => ({ ...packet, payload }) as Packet);
    publisher.connection.received(encoded(5, ...messages(0)));
    publisher.connection.received(encoded(5, ...messages(1)));
    await eventually(() => publisher.stream.writes > 0, { what: 'acknowledgements' });
    const dropped = engine.count.dropped.of('slow-client').value;
    assert.ok(dropped > 900 && dropped < count, `${dropped} dropped`);
    assert.ok(slow.connection.output.waiting < 3 * 16_384);
    assert.equal(slow.connection.state, 'live');
    assert.ok(slow.connection.session!.delivery.waiting > 900);
  });

  it('and asks without end is closed', async () => {
    const engine = await engineAlone({ 'socket.highWaterBytes': 16_384, 'mqtt.maxPacketBytes': 1024 });
    const greedy = await attachClient(engine, 'greedy', 4);
    greedy.stream.isStuck = true;
    const pings = Buffer.alloc(10_000, Buffer.from('c000', 'hex'));
    for (let i = 0; i < 10 && greedy.connection.state === 'live'; i++) {
      greedy.connection.received(pings);
      await new Promise(setImmediate);
    }
    assert.equal(greedy.connection.closedBy?.code, 'quota-exceeded');
  });
});
