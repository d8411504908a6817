import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RedisLink } from '../../src/redis/connect.ts';
import type { OutboxRef } from '../../src/store/outboxes.ts';
import { openRedisStore } from '../../src/store/redis/store.ts';
import type { Store } from '../../src/store/store.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';
import { sharedKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { freePort } from '../support/ports.ts';
import { TestProcess } from '../support/process.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { limits } from '../store/stores.ts';
import { carMessage, feed, firsts } from './outbox-feed.ts';

const cars = 20;
const script = join(fileURLToPath(new URL('.', import.meta.url)), 'bridge-process.ts');

describe('several bridges on one outbox', function () {
  this.timeout(120_000);
  let redis: RedisServer;
  let store: Store;
  let outbox: OutboxRef;
  let fed: number;

  beforeEach(async () => {
    redis = await startRedis({ appendonly: true });
    atEnd('Redis', () => redis.stop());
    const link = await RedisLink.open({ url: redis.url, prefix: 'sq:', connectTimeoutMs: 5_000, commandTimeoutMs: 5_000 });
    atEnd('way to Redis', () => link.close());
    store = openRedisStore(link, { ...limits, outboxMaxEntries: Number.MAX_SAFE_INTEGER });
    outbox = store.outboxes.ref('kafka', 0);
    fed = 0;
  });

  /** Message number n is of car n modulo `cars`, and says n. */
  async function feedMore(count: number): Promise<void> {
    for (let batch = 0; batch < count; batch += 50) {
      await feed(store, outbox, 'telemetry', Array.from({ length: Math.min(50, count - batch) }, () => carMessage(fed % cars, String(fed++))));
    }
  }

  async function startBridge(node: string, kafka: TestKafka, topic: string): Promise<TestProcess> {
    const bridge = new TestProcess(process.execPath, ['--import', 'tsx', script, node, redis.url, kafka.brokers, topic], { name: `bridge ${node}` });
    await bridge.line((line) => line.includes('"ready"') || undefined, 'a bridge');
    return bridge;
  }

  const leads = (bridge: TestProcess): Promise<true> => bridge.line((line) => line.includes('"leads the outbox"') || undefined, 'the lead');
  const emptied = (): Promise<true> => eventually(async () => (await store.outboxes.size(outbox)) === 0, { withinMs: 60_000, what: 'empty outbox' });

  /** Every record once or more, and for each car first appearances in order. */
  async function assertComplete(kafka: TestKafka, topic: string): Promise<void> {
    const records = await kafka.consume(topic);
    for (let car = 0; car < cars; car++) {
      const own = firsts(records.filter(({ key }) => key === `car-${car}`).map(({ value }) => value ?? ''));
      assert.deepEqual(own, Array.from({ length: fed }, (_, n) => n).filter((n) => n % cars === car).map(String), `records of car ${car}`);
    }
  }

  it('the leader is killed in the middle, and another goes on', async () => {
    const kafka = await sharedKafka();
    const a = await startBridge('a', kafka, 'leader-killed');
    await leads(a);
    const b = await startBridge('b', kafka, 'leader-killed');
    const feeding = feedMore(10_000);
    await eventually(async () => (await kafka.consume('leader-killed')).length > 500, { withinMs: 20_000, what: 'first records' });
    await a.kill();
    await feeding;
    await leads(b);
    await emptied();
    await assertComplete(kafka, 'leader-killed');
  });

  it('the leader freezes for longer than its lease; when it wakes up it does no harm', async () => {
    const kafka = await sharedKafka();
    const a = await startBridge('a', kafka, 'leader-frozen');
    await leads(a);
    const b = await startBridge('b', kafka, 'leader-frozen');
    const feeding = feedMore(6_000);
    await eventually(async () => (await kafka.consume('leader-frozen')).length > 500, { withinMs: 20_000, what: 'first records' });
    a.freeze();
    await feeding;
    await leads(b);
    await feedMore(2_000);
    a.thaw();
    await a.line((line) => line.includes('"leads the outbox no more"') || undefined, 'the end of the former lead');
    await feedMore(2_000);
    await emptied();
    await assertComplete(kafka, 'leader-frozen');
  });

  it('a leader that is told to end hands over at once', async () => {
    const kafka = await sharedKafka();
    const a = await startBridge('a', kafka, 'leader-leaves');
    await leads(a);
    const b = await startBridge('b', kafka, 'leader-leaves');
    const feeding = feedMore(5_000);
    await eventually(async () => (await kafka.consume('leader-leaves')).length > 500, { withinMs: 20_000, what: 'first records' });
    await a.stop();
    await leads(b);
    await feeding;
    await emptied();
    await assertComplete(kafka, 'leader-leaves');
    assert.equal((await kafka.consume('leader-leaves')).length, fed, 'nothing was sent twice');
  });

  it('Kafka is away at the start, and is killed later: records wait in the outbox', async () => {
    const folder = temporaryFolder('kafka-away');
    atEnd('folder of Kafka', () => {
      folder.remove();
    });
    const port = await freePort();
    let kafka = await startKafka({ port, dir: folder.path });
    await kafka.stop();
    const a = await startBridge('a', kafka, 'away');
    await feedMore(1_000);
    await a.line((line) => line.includes('Kafka does not take records') || undefined, 'the warning');
    assert.equal(await store.outboxes.size(outbox), 1_000);
    kafka = await startKafka({ port, dir: folder.path });
    await emptied();
    const feeding = feedMore(5_000);
    await eventually(async () => (await kafka.consume('away')).length > 1_500, { withinMs: 20_000, what: 'more records' });
    await kafka.kill();
    await feeding;
    kafka = await startKafka({ port, dir: folder.path });
    await emptied();
    await assertComplete(kafka, 'away');
    await kafka.kill();
    const began = performance.now();
    assert.equal((await a.stop()).code, 0);
    assert.ok(performance.now() - began < 5_000);
  });

  it('Redis is restarted in the middle', async () => {
    const kafka = await sharedKafka();
    const a = await startBridge('a', kafka, 'redis-restarted');
    await leads(a);
    await feedMore(3_000);
    await eventually(async () => (await kafka.consume('redis-restarted')).length > 200, { withinMs: 20_000, what: 'first records' });
    await redis.restart();
    await eventually(() => feedMore(50).then(() => true), { withinMs: 20_000, what: 'Redis' });
    await emptied();
    await assertComplete(kafka, 'redis-restarted');
  });
});
