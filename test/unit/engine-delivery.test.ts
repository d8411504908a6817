import assert from 'node:assert/strict';
import { randomFrom } from '../support/codec.ts';
import { bench, message, optionsOf, range, texts, type Sent } from './delivery-bench.ts';

describe('Delivery from a queue in memory', () => {
  it('sends in order, with identifiers 1, 2, 3, ..., no more than the window holds', () => {
    const { delivery, sent } = bench({ window: 3, isPersistent: false });
    for (const text of range(1, 5)) delivery.enqueue(message(text), optionsOf(2), false);
    assert.deepEqual(texts(sent), range(1, 3));
    assert.deepEqual(sent.map(({ packetId }) => packetId), [1, 2, 3]);
    assert.ok(sent.every(({ isRepeat, qos }) => !isRepeat && qos === 1));
    delivery.acknowledge(2, 1);
    assert.deepEqual(texts(sent), range(1, 4));
    assert.equal(delivery.inFlight, 3);
    for (const unknown of [2, 77]) delivery.acknowledge(unknown, 1);
    assert.deepEqual(texts(sent), range(1, 4));
  });

  it('holds a place of the window for QoS 2 until PUBCOMP', () => {
    const { delivery, sent, acks } = bench({ window: 1, isPersistent: false });
    for (const text of ['a', 'b']) delivery.enqueue(message(text, 2), optionsOf(2), false);
    assert.ok(delivery.receive(1) && delivery.receive(1));
    assert.deepEqual(acks, [[6, 1], [6, 1]]);
    assert.deepEqual(texts(sent), ['a']);
    delivery.complete(1);
    assert.deepEqual(texts(sent), ['a', 'b']);
    assert.equal(delivery.receive(99), false);
  });

  it('does not use an identifier again that is still out after 65,535 messages', () => {
    const { delivery, sent } = bench({ window: 2, isPersistent: false, maxMessages: 100_000 });
    delivery.enqueue(message('held'), optionsOf(1), false);
    for (let i = 2; i <= 65_535; i++) {
      delivery.enqueue(message(String(i)), optionsOf(1), false);
      delivery.acknowledge(i, 1);
    }
    assert.equal(sent.at(-1)?.packetId, 65_535);
    delivery.enqueue(message('next'), optionsOf(1), false);
    assert.equal(sent.at(-1)?.text, '65535');
    delivery.acknowledge(1, 1);
    assert.deepEqual(sent.at(-1), { text: 'next', packetId: 1, isRepeat: false, qos: 1 });
    delivery.enqueue(message('after'), optionsOf(1), false);
    assert.equal(sent.at(-1)?.packetId, 2);
  });

  it('waits while the socket is congested or not live, and goes on when pumped', () => {
    const { delivery, sent, connection } = bench({ isPersistent: false });
    connection.isCongested = true;
    delivery.enqueue(message('a'), optionsOf(1), false);
    assert.deepEqual(sent, []);
    connection.isCongested = false;
    connection.state = 'opening';
    delivery.pump();
    assert.deepEqual(sent, []);
    connection.state = 'live';
    delivery.pump();
    assert.deepEqual(texts(sent), ['a']);
  });

  it('finishes and counts what expired or is too large, without a place in the window', () => {
    const b = bench({ window: 1, isPersistent: false });
    b.connection.maxPayload = 5;
    b.delivery.enqueue(message('first'), optionsOf(1), false);
    b.delivery.enqueue(message('short', 1, 1500), optionsOf(1), false);
    b.delivery.enqueue(message('too large'), optionsOf(1), false);
    b.delivery.enqueue(message('last'), optionsOf(1), false);
    b.now = 1500;
    b.delivery.acknowledge(1, 1);
    assert.deepEqual(texts(b.sent), ['first', 'last']);
    assert.deepEqual(b.dropped, { expired: 1, 'packet-too-large': 1 });
    assert.equal(b.sent.at(-1)?.packetId, 4);
  });

  it('refuses acknowledgements of the wrong kind', () => {
    const { delivery } = bench({ isPersistent: false });
    delivery.enqueue(message('one', 1), optionsOf(2), false);
    delivery.enqueue(message('two', 2), optionsOf(2), false);
    const isRefused = { code: 'protocol-error' };
    assert.throws(() => delivery.receive(1), isRefused);
    assert.throws(() => { delivery.complete(1); }, isRefused);
    assert.throws(() => { delivery.acknowledge(1, 2); }, isRefused);
    assert.throws(() => { delivery.acknowledge(2, 1); }, isRefused);
    assert.throws(() => { delivery.complete(2); }, isRefused);
    assert.equal(delivery.inFlight, 2);
  });
});

describe('Delivery from a stored queue', () => {
  it('takes what is offered from memory, without asking the store', async () => {
    const b = bench();
    for (const text of range(1, 5)) b.store(text);
    await b.settle();
    assert.deepEqual(texts(b.sent), range(1, 5));
    assert.equal(b.reads, 0);
    b.delivery.acknowledge(3, 1);
    assert.deepEqual(b.settled.acknowledged, [3]);
    assert.equal(b.delivery.sentUpTo, 5);
  });

  it('fills the gap of a lost offer from the store, in order, once the next one shows it', async () => {
    const b = bench();
    b.store('1');
    b.store('2', { isLost: true });
    b.store('3', { isLost: true });
    b.store('4');
    b.store('5');
    await b.settle();
    assert.deepEqual(texts(b.sent), range(1, 5));
    b.store('6');
    assert.equal(b.sent.at(-1)?.text, '6', 'from memory again');
    const { reads } = b;
    await b.settle();
    assert.equal(b.reads, reads);
  });

  it('loses and doubles nothing that comes while the store is read', async () => {
    const b = bench({ window: 1000 });
    for (const text of range(1, 50)) b.store(text, { isLost: true });
    b.delivery.resume([]);
    for (const text of range(51, 60)) b.store(text);
    await new Promise(setImmediate);
    for (const text of range(61, 70)) b.store(text, { isLost: Number(text) % 2 === 0 });
    await b.settle();
    b.store('71');
    await b.settle();
    assert.deepEqual(texts(b.sent), range(1, 71));
  });

  it('passes over what the queue dropped over its limit', async () => {
    const b = bench();
    b.store('1');
    for (const text of range(2, 9)) b.stored.delete(b.store(text, { isLost: true }));
    const gone = b.store('10', { isLost: true });
    b.stored.delete(gone);
    b.delivery.offer(gone, message('10'), optionsOf(1), false);
    b.store('11');
    await b.settle();
    assert.deepEqual(texts(b.sent), ['1', '11']);
  });

  it('reads a long backlog page by page, never far ahead of the window', async () => {
    const b = bench({ window: 20 });
    for (const text of range(1, 5000)) b.store(text, { isLost: true });
    b.delivery.resume([]);
    await b.settle();
    let most = 0;
    for (let i = 0; i < 5000; i++) {
      most = Math.max(most, b.delivery.waiting);
      b.delivery.acknowledge(b.sent[i]!.packetId, 1);
      if (b.sent.length === i + 1) await b.settle();
    }
    assert.deepEqual(texts(b.sent), range(1, 5000));
    assert.ok(most <= 512, `${most} in memory`);
    assert.equal(b.settled.acknowledged.length, 5000);
  });

  it('begins with CONNACK, also when an offer before it had the memory filled', async () => {
    const b = bench({ window: 3 });
    b.connection.state = 'opening';
    for (const text of range(1, 600)) b.store(text, { isLost: text !== '600' });
    await b.settle();
    assert.deepEqual(b.sent, []);
    b.connection.state = 'live';
    b.delivery.resume([]);
    assert.deepEqual(texts(b.sent), range(1, 3));
    for (let packetId = 1; packetId <= 600; packetId++) {
      b.delivery.acknowledge(packetId, 1);
      await b.settle();
    }
    assert.deepEqual(texts(b.sent), range(1, 600));
  });

  it('marks with DUP what was sent before, and nothing else', async () => {
    const b = bench({ sentBefore: 3 });
    for (const text of range(1, 5)) b.store(text, { isLost: true });
    b.delivery.resume([]);
    await b.settle();
    b.store('6');
    assert.deepEqual(b.sent.map(({ isRepeat }) => isRepeat), [true, true, true, false, false, false]);
    assert.equal(b.delivery.sentUpTo, 6);
  });

  it('still knows what was sent before when it sent nothing itself', () => {
    assert.equal(bench({ sentBefore: 7 }).delivery.sentUpTo, 7);
    assert.equal(bench({ sentBefore: null }).delivery.sentUpTo, -1);
  });

  it('marks at most a window of what was queued when nobody knows how far was sent, and nothing that comes later', async () => {
    const b = bench({ window: 4, sentBefore: null });
    for (const text of range(1, 3)) b.store(text, { isLost: true });
    b.delivery.resume([]);
    await b.settle();
    b.store('4');
    assert.deepEqual(b.sent.map(({ isRepeat }) => isRepeat), [true, true, true, false]);
    const long = bench({ window: 4, sentBefore: null });
    for (const text of range(1, 10)) long.store(text, { isLost: true });
    long.delivery.resume([]);
    await long.settle();
    for (let i = 0; i < 6; i++) long.delivery.acknowledge(long.sent[i]!.packetId, 1);
    assert.deepEqual(long.sent.map(({ isRepeat }) => isRepeat), [true, true, true, true, false, false, false, false, false, false]);
    assert.equal(long.delivery.sentUpTo, 10);
  });

  it('sends PUBREL for what was released before, and leaves its place in the window', async () => {
    const b = bench({ window: 2 });
    for (const text of range(1, 3)) b.store(text, { qos: 2, isLost: true });
    b.stored.delete(1);
    b.delivery.resume([1]);
    await b.settle();
    assert.deepEqual(b.acks, [[6, 1]]);
    assert.deepEqual(texts(b.sent), ['2']);
    b.delivery.complete(1);
    assert.deepEqual(b.settled.completed, [1]);
    assert.deepEqual(texts(b.sent), ['2', '3']);
    assert.equal(b.delivery.receive(2), true);
    assert.deepEqual(b.settled.received, [2]);
    assert.deepEqual(b.acks, [[6, 1]], 'PUBREL only when that is committed');
  });

  it('finishes in the store what expired', async () => {
    const b = bench();
    b.store('short', { expiresAt: 900, isLost: true });
    b.store('long');
    await b.settle();
    assert.deepEqual(texts(b.sent), ['long']);
    assert.deepEqual(b.settled.acknowledged, [1]);
    assert.deepEqual(b.dropped, { expired: 1 });
  });

  it('derives identifiers from numbers, over 65,535 too', async () => {
    const b = bench({ window: 3, first: 65_534, sentBefore: 0 });
    for (const text of ['a', 'b', 'c', 'd']) b.store(text, { isLost: true });
    b.delivery.resume([]);
    await b.settle();
    assert.deepEqual(b.sent.map(({ packetId }) => packetId), [65_534, 65_535, 1]);
    b.delivery.acknowledge(65_535, 1);
    assert.deepEqual(b.settled.acknowledged, [65_535]);
    b.delivery.acknowledge(1, 1);
    assert.deepEqual(b.settled.acknowledged, [65_535, 65_536]);
    assert.equal(b.sent.at(-1)?.packetId, 2);
  });

  it('brings every message once and in order, whatever offers are lost and whenever acknowledgements come', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = randomFrom(seed);
      const b = bench({ window: 1 + random(40) });
      const open: Sent[] = [];
      let looked = 0;
      let count = 0;
      const acknowledge = (): void => {
        for (; looked < b.sent.length; looked++) open.push(b.sent[looked]!);
        for (let n = random(10); n > 0 && open.length > 0; n--) {
          const [{ packetId, text }] = open.splice(random(open.length), 1) as [Sent];
          b.delivery.acknowledge(packetId, 1);
          b.stored.delete(Number(text));
        }
      };
      for (let step = 0; step < 400; step++) {
        for (let n = random(4); n > 0; n--) b.store(String(++count), { isLost: random(3) === 0 });
        if (random(2) === 0) acknowledge();
        if (random(3) === 0) await new Promise(setImmediate);
        b.connection.isCongested = random(10) === 0;
      }
      b.connection.isCongested = false;
      // what was lost last shows only by what comes after it
      b.store(String(++count));
      while (texts(b.sent).length < count) {
        b.delivery.pump();
        await b.settle();
        const before = b.sent.length;
        acknowledge();
        await b.settle();
        assert.ok(open.length > 0 || b.sent.length > before || b.sent.length === count, `seed ${seed} stands still at ${b.sent.length}`);
      }
      assert.deepEqual(texts(b.sent), range(1, count), `seed ${seed}`);
    }
  });
});
