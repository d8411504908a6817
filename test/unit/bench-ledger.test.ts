import assert from 'node:assert/strict';
import { Ledger } from '../../bench/load/ledger.ts';
import type { Messages, Pattern } from '../../bench/load/plan.ts';
import { copiesOf, filterOf, receiptsFor, topicOf, type Receipts } from '../../bench/load/receipts.ts';

const good = { lost: 0, doubled: 0, reordered: 0, misrouted: 0 };

function messages(pattern: Pattern, publishers: number, subscribers: number): Messages {
  return { pattern, publishers, subscribers, qos: 1, isPersistent: false, payloadBytes: 128 };
}

function record(receipts: Receipts, ...arrivals: [subscriber: number, publisher: number, sequence: number][]): Receipts {
  for (const arrival of arrivals) receipts.record(...arrival);
  return receipts;
}

describe('the ledger of what was received', () => {
  it('finds nothing wrong with a sequence without gaps', () => {
    const ledger = new Ledger(2);
    for (let sequence = 0; sequence < 1000; sequence++) ledger.record(sequence % 2, sequence >> 1);
    assert.deepEqual([ledger.lost(0, 500), ledger.lost(1, 500), ledger.doubled, ledger.reordered], [0, 0, 0, 0]);
  });

  it('counts what is missing in the middle and at the end', () => {
    const ledger = new Ledger(1);
    for (const sequence of [0, 1, 4]) ledger.record(0, sequence);
    assert.equal(ledger.lost(0, 7), 4);
  });

  it('counts a message that comes after its successors once as reordered, and not as lost', () => {
    const ledger = new Ledger(1);
    for (const sequence of [0, 2, 3, 1, 4]) ledger.record(0, sequence);
    assert.deepEqual([ledger.lost(0, 5), ledger.doubled, ledger.reordered], [0, 0, 1]);
  });

  it('counts every further copy as doubled', () => {
    const ledger = new Ledger(1);
    for (const sequence of [0, 0, 2, 1, 1, 2]) ledger.record(0, sequence);
    assert.deepEqual([ledger.lost(0, 3), ledger.doubled, ledger.reordered], [0, 3, 1]);
  });
});

describe('the receipts of a pattern', () => {
  it('know a message that went to the wrong subscriber', () => {
    assert.deepEqual(record(receiptsFor(messages('pairs', 2, 2)), [0, 0, 0], [1, 1, 0]).faults([1, 1]), good);
    assert.deepEqual(record(receiptsFor(messages('pairs', 2, 2)), [0, 0, 0], [0, 1, 0]).faults([1, 1]), { ...good, lost: 1, misrouted: 1 });
  });

  it('expect a copy for each subscriber in a fan-out', () => {
    const receipts = record(receiptsFor(messages('fan-out', 1, 3)), [0, 0, 0], [1, 0, 0]);
    assert.equal(receipts.faults([1]).lost, 1);
    assert.deepEqual(record(receipts, [2, 0, 0]).faults([1]), good);
  });

  it('expect each message once, and in order at each member, in a shared subscription', () => {
    const shared = (): Receipts => receiptsFor(messages('fan-in-shared', 1, 2));
    assert.deepEqual(record(shared(), [0, 0, 1], [1, 0, 0], [0, 0, 2]).faults([3]), good);
    assert.equal(record(shared(), [0, 0, 0], [1, 0, 0]).faults([1]).doubled, 1);
    assert.equal(record(shared(), [0, 0, 1], [0, 0, 0]).faults([2]).reordered, 1);
    assert.equal(record(shared(), [0, 0, 0]).faults([2]).lost, 1);
  });

  it('send every publisher of a fan-in to the subscriber whose filter matches', () => {
    const fanIn = messages('fan-in', 10, 3);
    for (let publisher = 0; publisher < 10; publisher++) {
      const prefix = filterOf(fanIn, publisher % 3).replace('+', '');
      assert.equal(topicOf(fanIn, publisher), `${prefix}${publisher}`);
    }
    assert.deepEqual([copiesOf(fanIn), copiesOf(messages('fan-out', 1, 3))], [1, 3]);
  });
});
