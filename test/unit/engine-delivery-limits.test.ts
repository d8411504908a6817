import assert from 'node:assert/strict';
import { Message } from '../../src/base/message.ts';
import { bench, message, optionsOf, range, texts } from './delivery-bench.ts';

describe('limits of a queue in memory', () => {
  it('drops the oldest that waits over the limit of messages, and counts it; what is on its way stays', () => {
    const { delivery, sent, dropped } = bench({ window: 1, isPersistent: false, maxMessages: 3 });
    for (const text of range(0, 9)) delivery.enqueue(message(text), optionsOf(1), false);
    assert.deepEqual(dropped, { messages: 6 });
    for (let i = 0; i < 4; i++) delivery.acknowledge(sent.at(-1)!.packetId, 1);
    assert.deepEqual(texts(sent), ['0', '7', '8', '9']);
  });

  it('drops the oldest over the limit of bytes', () => {
    const { delivery, sent, dropped } = bench({ window: 1, isPersistent: false, maxBytes: 250 });
    for (const text of ['0', '1', '2', '3']) delivery.enqueue(message(text.repeat(100)), optionsOf(1), false);
    assert.deepEqual(dropped, { bytes: 1 });
    for (let i = 0; i < 3; i++) delivery.acknowledge(sent.at(-1)!.packetId, 1);
    assert.deepEqual(sent.map(({ text }) => text[0]), ['0', '2', '3']);
  });

  it('counts topic and properties as bytes too', () => {
    const { delivery, dropped } = bench({ window: 1, isPersistent: false, maxBytes: 250 });
    const long = new Message('t'.repeat(60), Buffer.alloc(20), 1, false, Buffer.alloc(20), 0, 0, '');
    for (let i = 0; i < 4; i++) delivery.enqueue(long, optionsOf(1), false);
    assert.deepEqual(dropped, { bytes: 1 });
  });

  it('refuses the newest over a limit when that is the policy', () => {
    const { delivery, sent, dropped } = bench({ window: 1, isPersistent: false, maxMessages: 3, whenFull: 'drop-newest' });
    for (const text of range(0, 9)) delivery.enqueue(message(text), optionsOf(1), false);
    assert.deepEqual(dropped, { messages: 6 });
    for (let i = 0; i < 4; i++) delivery.acknowledge(sent.at(-1)!.packetId, 1);
    assert.deepEqual(texts(sent), range(0, 3));
  });

  it('sends the client away over a limit when that is the policy', async () => {
    const { delivery, dropped, connection, settle } = bench({ window: 1, isPersistent: false, maxMessages: 3, whenFull: 'disconnect' });
    for (const text of range(0, 3)) delivery.enqueue(message(text), optionsOf(1), false);
    await settle();
    assert.equal(connection.state, 'live');
    for (const text of range(4, 5)) delivery.enqueue(message(text), optionsOf(1), false);
    await settle();
    assert.equal(connection.closedBy, 'quota-exceeded');
    assert.deepEqual(dropped, { messages: 2 });
  });
});

describe('limits of a stored queue that is served', () => {
  for (const maxMessages of [30, 2000]) {
    it(`over a limit of ${maxMessages} drops the oldest of what waits, here and in the store; what is on its way stays`, async () => {
      const b = bench({ window: 5, maxMessages });
      for (const text of range(1, 5000)) {
        b.store(text, { isLost: Number(text) % 7 === 0 });
        if (Number(text) % 50 === 0) await b.settle();
      }
      b.store('5001');
      await b.settle();
      assert.deepEqual(texts(b.sent), range(1, 5));
      const gone = new Set(b.settled.acknowledged);
      assert.equal(b.dropped['messages'], gone.size);
      const left = [...b.stored.keys()].filter((seq) => !gone.has(seq));
      // offers that were lost are not known of until they are read
      assert.ok(left.length >= maxMessages + 5 && left.length <= maxMessages + 20 + 5001 / 7, `${left.length} are left`);
      assert.deepEqual(left.slice(0, 5), [1, 2, 3, 4, 5]);
      assert.deepEqual(left.slice(5).map(String), range(5002 - (left.length - 5), 5001));
    });
  }

  it('refuses the newest over a limit when that is the policy, and takes new ones when there is room', async () => {
    const b = bench({ window: 5, maxMessages: 20, whenFull: 'drop-newest' });
    for (const text of range(1, 60)) b.store(text);
    await b.settle();
    assert.deepEqual(b.dropped, { messages: 35 });
    assert.deepEqual(b.settled.acknowledged.map(String), range(26, 60));
    for (const seq of b.settled.acknowledged) b.stored.delete(seq);
    for (let i = 0; i < 25; i++) b.delivery.acknowledge(b.sent[i]!.packetId, 1);
    b.store('61');
    await b.settle();
    assert.deepEqual(texts(b.sent), [...range(1, 25), '61']);
  });

  it('refuses the newest while there is more in the store than a page', async () => {
    const b = bench({ window: 5, maxMessages: 1000, whenFull: 'drop-newest' });
    for (const text of range(1, 3000)) {
      b.store(text);
      if (Number(text) % 100 === 0) await b.settle();
    }
    for (const seq of b.settled.acknowledged) b.stored.delete(seq);
    assert.deepEqual([...b.stored.keys()].map(String), range(1, 1005));
    assert.deepEqual(b.dropped, { messages: 1995 });
    const before = b.settled.acknowledged.length;
    for (let i = 0; i < 400; i++) {
      b.delivery.acknowledge(b.sent[i]!.packetId, 1);
      await b.settle();
    }
    for (const text of range(3001, 3400)) b.store(text);
    await b.settle();
    assert.equal(b.settled.acknowledged.length, before + 400, 'as many as were acknowledged find room');
  });

  it('sends a client away over a limit when that is the policy, but not before it could empty the queue to which it came back', async () => {
    const b = bench({ window: 5, maxMessages: 600, whenFull: 'disconnect' });
    for (const text of range(1, 700)) b.store(text, { isLost: true });
    b.delivery.resume([]);
    await b.settle();
    b.store('701');
    await b.settle();
    assert.equal(b.connection.state, 'live');
    assert.deepEqual(b.dropped, { messages: 1 });
    b.stored.delete(701);
    for (let i = 0; i < 700; i++) {
      b.delivery.acknowledge(b.sent[i]!.packetId, 1);
      await b.settle();
    }
    for (const text of range(702, 1306)) b.store(text);
    await b.settle();
    assert.equal(b.connection.state, 'live');
    b.store('1307');
    await b.settle();
    assert.equal(b.connection.closedBy, 'quota-exceeded');
  });
});
