import assert from 'node:assert/strict';
import { SystemClock } from '../../src/base/clock.ts';
import { BrokerError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { openBridge, type Bridge, type BridgeOptions } from '../../src/bridge/bridge.ts';
import { openMemoryStore } from '../../src/store/memory/store.ts';
import type { OutboxRef } from '../../src/store/outboxes.ts';
import type { Store } from '../../src/store/store.ts';
import { FakeKafka } from '../bridge/fake-kafka.ts';
import { openToAll } from '../support/kafka.ts';
import { carMessage, feed, feedRaw, firsts } from '../bridge/outbox-feed.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import { limits } from '../store/stores.ts';

const clock = new SystemClock();
const rule = { name: 'telemetry', filter: 'vehicles/+/telemetry', topic: 'telemetry', key: '${clientid}' };

describe('the outbound side of a bridge', () => {
  let kafka: FakeKafka;
  let store: Store;
  let outbox: OutboxRef;
  beforeEach(() => {
    kafka = new FakeKafka();
    store = openMemoryStore(clock, { ...limits, outboxMaxEntries: 1_000_000 });
    outbox = store.outboxes.ref('kafka', 0);
  });

  function bridge(node: string, options: Partial<BridgeOptions> = {}): Bridge & { metrics: Metrics } {
    const metrics = new Metrics();
    const made = openBridge({
      rules: [rule],
      store,
      node,
      kafka: { brokers: [], clientId: '', allowAutoTopicCreation: true, compression: 'none', requestTimeoutMs: 1_000, ...openToAll },
      client: kafka.client(),
      maxRecords: 1_000_000,
      whenFull: 'block',
      batch: { maxRecords: 10, maxBytes: 100_000, lingerMs: 1 },
      deadLetterTopic: 'dead',
      leaseMs: 200,
      clock,
      metrics,
      log: silentLog,
      ...options,
    });
    atEnd(`bridge ${node}`, () => made.stop(100));
    return Object.assign(made, { metrics });
  }

  const texts = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `${from + i}`);
  const feedTexts = (all: readonly string[]): Promise<void> => feed(store, outbox, rule.name, all.map((text) => carMessage(1, text)));
  const emptied = (): Promise<true> => eventually(async () => (await store.outboxes.size(outbox)) === 0, { what: 'empty outbox' });
  const leads = (node: Bridge): Promise<true> => eventually(() => node.isLeading, { what: 'leader' });

  it('records reach Kafka in order, and leave the outbox', async () => {
    await feedTexts(texts(105));
    bridge('a').start();
    await emptied();
    assert.deepEqual(kafka.values('telemetry'), texts(105));
    assert.ok(kafka.batches >= 11, 'a batch holds ten records at most');
    await feedTexts(texts(1, 105));
    await emptied();
    assert.deepEqual(kafka.values('telemetry'), texts(106));
  });

  it('a batch stays below its limit of bytes', async () => {
    await feedTexts(texts(20).map((text) => text.padEnd(400, '.')));
    bridge('a', { batch: { maxRecords: 100, maxBytes: 1_000, lingerMs: 1 } }).start();
    await emptied();
    assert.equal(kafka.batches, 10);
  });

  it('one of several nodes leads, and when it stops another goes on at once', async () => {
    const [a, b] = [bridge('a', { leaseMs: 3_000 }), bridge('b', { leaseMs: 3_000 })];
    a.start();
    await leads(a);
    b.start();
    await feedTexts(texts(10));
    await emptied();
    assert.equal(b.isLeading, false);
    await a.stop();
    assert.equal(a.isLeading, false);
    await feedTexts(texts(10, 10));
    await emptied();
    assert.equal(b.isLeading, true);
    assert.deepEqual(kafka.values('telemetry'), texts(20));
  });

  it('Kafka away at the start and again later: records wait, and are sent when it is back', async () => {
    kafka.isAway = true;
    const a = bridge('a');
    a.start();
    await feedTexts(texts(25));
    await eventually(() => a.lagMs > 300, { what: 'growing lag' });
    assert.equal(await store.outboxes.size(outbox), 25);
    kafka.isAway = false;
    await emptied();
    kafka.isAway = true;
    await feedTexts(texts(25, 25));
    await eventually(() => a.lagMs > 100, { what: 'growing lag' });
    kafka.isAway = false;
    await emptied();
    assert.deepEqual(kafka.values('telemetry'), texts(50));
    assert.equal(a.lagMs, 0);
    assert.match(await a.metrics.page(), /swarmq_bridge_failures_total\{of="kafka"\} [1-9]/);
  });

  it('a batch whose acknowledgement was lost twice is sent again, and order of first appearance holds', async () => {
    kafka.lostAnswers = 2;
    await feedTexts(texts(30));
    bridge('a').start();
    await emptied();
    assert.equal(kafka.log.length, 50);
    assert.deepEqual(firsts(kafka.values('telemetry')), texts(30));
  });

  it('a leader that lost the lead in the middle of a batch may not remove it, stops, and the next one goes on', async () => {
    const a = bridge('a');
    a.start();
    await leads(a);
    kafka.isMute = true;
    await feedTexts(texts(30));
    await eventually(() => kafka.log.length === 10, { what: 'batch without an acknowledgement' });
    // what a lease that ran out looks like to the store
    const token = await store.outboxes.lead(outbox, 'a', 200);
    assert.ok(token !== null);
    await store.outboxes.resign(outbox, token);
    assert.equal(await store.outboxes.lead(outbox, 'b', 200), token + 1);
    assert.equal(await store.outboxes.remove(outbox, token, ['1']), 'fenced');
    await eventually(() => !a.isLeading, { what: 'end of the former leader' });
    assert.equal(await store.outboxes.size(outbox), 30);
    kafka.isMute = false;
    bridge('b').start();
    await emptied();
    assert.deepEqual(firsts(kafka.values('telemetry')), texts(30));
  });

  it('a leader that the store does not hear stops by its own clock', async () => {
    let isCut = false;
    const deaf: Store = Object.create(store, {
      outboxes: {
        value: new Proxy(store.outboxes, {
          get: (target, name) => (...args: unknown[]) => {
            if (isCut) return Promise.reject(new BrokerError('store-unavailable', 'cut off'));
            return (Reflect.get(target, name) as (...args: unknown[]) => unknown).apply(target, args);
          },
        }),
      },
    }) as Store;
    const a = bridge('a', { store: deaf });
    a.start();
    await leads(a);
    kafka.isMute = true;
    await feedTexts(texts(5));
    await eventually(() => kafka.log.length === 5, { what: 'batch without an acknowledgement' });
    isCut = true;
    await eventually(() => !a.isLeading, { what: 'end of the lead' });
    kafka.isMute = false;
    bridge('b').start();
    await emptied();
    isCut = false;
    assert.deepEqual(firsts(kafka.values('telemetry')), texts(5));
  });

  it('the store away between the acknowledgement and the removal: nothing is sent twice', async () => {
    let refusals = 3;
    const remove = store.outboxes.remove.bind(store.outboxes);
    store.outboxes.remove = (...args) => (refusals-- > 0 ? Promise.reject(new BrokerError('store-unavailable', 'away')) : remove(...args));
    await feedTexts(texts(5));
    bridge('a', { leaseMs: 5_000 }).start();
    await emptied();
    assert.deepEqual(kafka.values('telemetry'), texts(5));
  });

  it('poison in the middle of a batch goes to the dead-letter topic, all others on in order', async () => {
    kafka.refuse = ({ topic, value }) => (topic === 'telemetry' && value.length > 100 ? new BrokerError('packet-too-large', 'too large') : null);
    await feedTexts([...texts(4), 'x'.repeat(101), ...texts(3, 4)]);
    await feedRaw(store, outbox, rule.name, [Buffer.from('rubbish')]);
    await feedTexts(texts(3, 7));
    const a = bridge('a', { batch: { maxRecords: 100, maxBytes: 1_000_000, lingerMs: 1 } });
    a.start();
    await emptied();
    assert.deepEqual(firsts(kafka.values('telemetry')), texts(10));
    assert.deepEqual(kafka.values('dead').toSorted(), ['rubbish', 'x'.repeat(101)]);
    const page = await a.metrics.page();
    assert.match(page, /swarmq_bridge_poison_total\{reason="packet-too-large"\} 1\n/);
    assert.match(page, /swarmq_bridge_poison_total\{reason="store-corrupt"\} 1\n/);
    assert.match(page, /swarmq_bridge_records_total\{rule="telemetry"\} 10\n/);
  });

  it('poison without a dead-letter topic is counted as dropped', async () => {
    await feedRaw(store, outbox, rule.name, [Buffer.from('rubbish')]);
    const a = bridge('a', { deadLetterTopic: '' });
    a.start();
    await emptied();
    assert.equal(kafka.log.length, 0);
    assert.match(await a.metrics.page(), /swarmq_bridge_dropped_total\{reason="poison"\} 1\n/);
  });

  it('over the limit the oldest records that are not on their way are dropped, as told', async () => {
    kafka.isAway = true;
    await feedTexts(texts(100));
    const a = bridge('a', { maxRecords: 60, whenFull: 'drop-oldest' });
    a.start();
    await eventually(async () => (await store.outboxes.size(outbox)) === 60, { what: 'outbox at its limit' });
    kafka.isAway = false;
    await emptied();
    const page = await a.metrics.page();
    assert.match(page, /swarmq_bridge_dropped_total\{reason="outbox-full"\} 40\n/);
    assert.match(page, /swarmq_bridge_records_total\{rule="telemetry"\} 60\n/);
    assert.equal(kafka.log.at(-1)?.value.toString(), '99');
  });

  it('it tells how long the outbox is, with or without the lead', async () => {
    await feedTexts(texts(7));
    assert.notEqual(await store.outboxes.lead(outbox, 'somebody else', 10_000), null);
    const told: number[] = [];
    bridge('a', { onLength: (_, length) => told.push(length) }).start();
    await eventually(() => told.includes(7), { what: 'length' });
  });

  it('it stops in bounded time while Kafka keeps it waiting', async () => {
    kafka.isMute = true;
    await feedTexts(texts(3));
    const a = bridge('a');
    a.start();
    await eventually(() => kafka.log.length === 3, { what: 'batch without an acknowledgement' });
    const began = performance.now();
    await a.stop(100);
    assert.ok(performance.now() - began < 1_000);
    assert.equal(await store.outboxes.size(outbox), 3);
    // it resigned: whoever asks leads
    assert.notEqual(await store.outboxes.lead(outbox, 'b', 100), null);
  });

  it('what Kafka acknowledges while the bridge stops is removed, and nothing more is sent', async () => {
    kafka.isMute = true;
    await feedTexts(texts(15));
    const a = bridge('a');
    a.start();
    await eventually(() => kafka.log.length === 10, { what: 'batch without an acknowledgement' });
    const stopped = a.stop(5_000);
    kafka.answer();
    await stopped;
    assert.equal(await store.outboxes.size(outbox), 5);
    assert.deepEqual(kafka.values('telemetry'), texts(10));
  });
});
