import assert from 'node:assert/strict';
import { Ledger } from '../support/ledger.ts';

/** Five messages of one car on one topic, all acknowledged. */
function fiveAcknowledged(qos: 0 | 1 | 2 = 1): Ledger {
  const ledger = new Ledger();
  ledger.subscriber('backend', 2);
  for (let seq = 1; seq <= 5; seq++) {
    ledger.published('car', 't', seq, qos);
    ledger.acknowledged('car', 't', seq);
  }
  return ledger;
}

function receive(ledger: Ledger, ...seqs: number[]): void {
  for (const seq of seqs) ledger.received('backend', 'car', 't', seq);
}

const about = (seq: number) => ({ subscriber: 'backend', publisher: 'car', topic: 't', seq });

describe('the ledger', () => {
  it('holds when every acknowledged message arrived once, in order', () => {
    const ledger = fiveAcknowledged();
    receive(ledger, 1, 2, 3, 4, 5);
    assert.deepEqual(ledger.verdict(), { lost: [], doubled: [], disordered: [], foreign: [] });
    ledger.assertHolds();
  });

  it('names an acknowledged message that never arrived as lost', () => {
    const ledger = fiveAcknowledged();
    receive(ledger, 1, 2, 4, 5);
    assert.deepEqual(ledger.verdict().lost, [about(3)]);
    assert.equal(ledger.missing('backend'), 1);
    assert.throws(() => {
      ledger.assertHolds();
    }, /1 lost: backend <- car t #3/);
  });

  it('does not call a message lost that is still stored for its subscriber', () => {
    const ledger = fiveAcknowledged();
    receive(ledger, 1, 2, 3, 4);
    ledger.assertHolds({ stillStored: (subscriber, entry) => subscriber === 'backend' && entry.seq === 5 });
  });

  it('lets a message that was never acknowledged be missing or arrive', () => {
    const ledger = fiveAcknowledged();
    ledger.published('car', 't', 6, 1);
    ledger.published('car', 't', 7, 1);
    receive(ledger, 1, 2, 3, 4, 5, 7);
    ledger.assertHolds();
  });

  it('lets QoS 0 be missing', () => {
    const ledger = fiveAcknowledged(0);
    receive(ledger, 1);
    ledger.assertHolds();
  });

  it('names a doubled QoS 2 message', () => {
    const ledger = fiveAcknowledged(2);
    receive(ledger, 1, 2, 3, 2, 4, 5);
    assert.deepEqual(ledger.verdict().doubled, [about(2)]);
  });

  it('names a doubled QoS 0 message', () => {
    const ledger = fiveAcknowledged(0);
    receive(ledger, 1, 1);
    assert.deepEqual(ledger.verdict().doubled, [about(1)]);
  });

  it('lets QoS 1 come again, with what follows it', () => {
    const ledger = fiveAcknowledged(1);
    receive(ledger, 1, 2, 3, 2, 3, 4, 5);
    ledger.assertHolds();
  });

  it('judges by the lower QoS of publication and subscription', () => {
    const ledger = new Ledger();
    ledger.subscriber('backend', 1);
    ledger.published('car', 't', 1, 2);
    receive(ledger, 1, 1);
    ledger.assertHolds();
  });

  it('names a message whose first arrival came after a later one', () => {
    const ledger = fiveAcknowledged();
    receive(ledger, 1, 3, 2, 4, 5);
    assert.deepEqual(ledger.verdict().disordered, [about(2)]);
  });

  it('asks for order within a publisher, topic and QoS only', () => {
    const ledger = new Ledger();
    ledger.subscriber('backend', 2);
    ledger.published('a', 't', 1, 1);
    ledger.published('a', 'u', 2, 1);
    ledger.published('a', 't', 3, 2);
    ledger.published('b', 't', 1, 1);
    ledger.received('backend', 'b', 't', 1);
    ledger.received('backend', 'a', 't', 3);
    ledger.received('backend', 'a', 'u', 2);
    ledger.received('backend', 'a', 't', 1);
    ledger.assertHolds();
  });

  it('names a message that nobody published as foreign', () => {
    const ledger = fiveAcknowledged();
    receive(ledger, 1, 2, 3, 4, 5, 99);
    assert.deepEqual(ledger.verdict().foreign, [about(99)]);
  });

  it('names a message that its subscriber did not ask for as foreign, and does not miss it elsewhere', () => {
    const ledger = new Ledger();
    ledger.subscriber('mine', 1, (topic) => topic === 'm');
    ledger.subscriber('other', 1, (topic) => topic === 'o');
    ledger.published('car', 'm', 1, 1);
    ledger.acknowledged('car', 'm', 1);
    ledger.received('other', 'car', 'm', 1);
    const { lost, foreign } = ledger.verdict();
    assert.deepEqual(lost, [{ subscriber: 'mine', publisher: 'car', topic: 'm', seq: 1 }]);
    assert.deepEqual(foreign, [{ subscriber: 'other', publisher: 'car', topic: 'm', seq: 1 }]);
  });

  it('judges each subscriber for itself', () => {
    const ledger = fiveAcknowledged();
    ledger.subscriber('audit');
    receive(ledger, 1, 2, 3, 4, 5);
    assert.deepEqual(
      ledger.verdict().lost.map((finding) => `${finding.subscriber} ${finding.seq}`),
      ['audit 1', 'audit 2', 'audit 3', 'audit 4', 'audit 5'],
    );
  });

  it('counts a message that was sent again after a reconnect once', () => {
    const ledger = fiveAcknowledged();
    ledger.published('car', 't', 2, 1);
    receive(ledger, 1, 2, 3, 4, 5);
    ledger.assertHolds();
    assert.equal(ledger.acknowledgedCount, 5);
  });

  it('refuses an acknowledgement of what was never published, and an unnamed subscriber', () => {
    const ledger = new Ledger();
    assert.throws(() => {
      ledger.acknowledged('car', 't', 1);
    }, /never published/);
    assert.throws(() => {
      ledger.received('nobody', 'car', 't', 1);
    }, /nobody named/);
  });

  it('asks of a subscriber that comes and goes neither completeness, nor order of several that share a subscription', () => {
    const ledger = new Ledger();
    ledger.subscriber('visitor', 2, () => true, { mayMiss: true });
    ledger.subscriber('group', 1, () => true, { isShared: true });
    for (const seq of [0, 1, 2]) {
      ledger.published('p', 't', seq, 2);
      ledger.acknowledged('p', 't', seq);
    }
    for (const seq of [2, 0, 1]) ledger.received('group', 'p', 't', seq);
    ledger.received('visitor', 'p', 't', 2);
    ledger.assertHolds();
    ledger.received('visitor', 'p', 't', 1);
    ledger.received('visitor', 'p', 't', 1);
    ledger.received('group', 'p', 't', 1);
    const { lost, doubled, disordered } = ledger.verdict();
    assert.deepEqual([lost.length, doubled, disordered], [0, [{ subscriber: 'visitor', publisher: 'p', topic: 't', seq: 1 }], [{ subscriber: 'visitor', publisher: 'p', topic: 't', seq: 1 }]]);
  });
});
