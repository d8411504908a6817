import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openKafkaClient, type KafkaSettings } from '../../src/bridge/client.ts';
import type { KafkaClient, KafkaRecord } from '../../src/bridge/kafka.ts';
import { atEnd } from '../support/ends.ts';
import { within } from '../support/eventually.ts';
import { openToAll, sharedKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { freePort } from '../support/ports.ts';
import { TestProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/folder.ts';
import { firsts } from './outbox-feed.ts';

function open(brokers: string, settings: Partial<KafkaSettings> = {}): KafkaClient {
  const client = openKafkaClient(
    { brokers: [brokers], clientId: 'test', allowAutoTopicCreation: true, compression: 'none', requestTimeoutMs: 2_000, ...openToAll, ...settings },
    new SystemClock(), silentLog,
  );
  atEnd('Kafka client', () => client.close());
  return client;
}

function records(topic: string, count: number, from = 0): KafkaRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    topic,
    key: `car-${(from + i) % 7}`,
    value: Buffer.from(String(from + i)),
    headers: { 'mqtt-topic': 'vehicles/ä', many: ['1', '2'] },
    timestamp: 1_700_000_000_000 + i,
  }));
}

/** Sends until it works, as the outbound side does. Gives how many attempts failed. */
async function persist(client: KafkaClient, batch: readonly KafkaRecord[], withinMs = 60_000): Promise<number> {
  const deadline = performance.now() + withinMs;
  for (let failed = 0; ; failed++) {
    try {
      await client.connect();
      await client.send(batch);
      return failed;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** What the process is told of rejections that nobody handles, and other oddities. */
function watchProcess(): { complaints: string[] } {
  const complaints: string[] = [];
  const hear = (reason: unknown): void => {
    // later releases of Node.js warn once of a timer that kafkajs sets with a negative delay; it is harmless
    if (!(reason instanceof Error && reason.name === 'TimeoutNegativeWarning')) complaints.push(String(reason));
  };
  process.on('unhandledRejection', hear).on('warning', hear);
  atEnd('watch over the process', () => {
    process.off('unhandledRejection', hear).off('warning', hear);
  });
  return { complaints };
}

describe('the Kafka client', function () {
  this.timeout(120_000);
  let kafka: TestKafka;
  before(async () => {
    kafka = await sharedKafka();
  });

  it('a batch over two new topics arrives with keys, headers and values, in order per key', async () => {
    const client = open(kafka.brokers);
    const batch = [...records('client-a', 500), ...records('client-b', 500)];
    await persist(client, batch);
    for (const topic of ['client-a', 'client-b']) {
      // a request may have been repeated while the topics were made: once or more, in order of first appearance
      const arrived = await kafka.consume(topic);
      for (let car = 0; car < 7; car++) {
        const own = arrived.filter(({ key }) => key === `car-${car}`);
        assert.equal(new Set(own.map(({ partition }) => partition)).size, 1);
        assert.deepEqual(firsts(own.map(({ value }) => value ?? '')), records(topic, 500).filter(({ key }) => key === `car-${car}`).map(({ value }) => value.toString()));
      }
      assert.equal(arrived[0]?.headers['mqtt-topic'], 'vehicles/ä');
    }
  });

  it('keys go to the partitions that other clients with the murmur2 partitioner choose', async () => {
    const client = open(kafka.brokers);
    await persist(client, records('client-murmur', 7));
    const mine = await kafka.consume('client-murmur', { count: 7 });
    const args = ['-P', '-b', kafka.brokers, '-t', 'client-murmur', '-K', ':', '-X', 'partitioner=murmur2'];
    await new TestProcess('kcat', args, { input: Array.from({ length: 7 }, (_, i) => `car-${i}:theirs\n`).join('') }).success();
    const all = await kafka.consume('client-murmur', { count: 14 });
    for (const { key, partition } of mine) {
      assert.equal(all.find((record) => record.key === key && record.value === 'theirs')?.partition, partition);
    }
  });

  it('gzip is understood', async () => {
    const client = open(kafka.brokers, { compression: 'gzip' });
    await persist(client, records('client-gzip', 100));
    assert.equal((await kafka.consume('client-gzip', { count: 100 })).length, 100);
  });

  it('a record that is too large is refused, and the next batch goes through', async () => {
    const client = open(kafka.brokers);
    await persist(client, records('client-large', 1));
    const large = { ...records('client-large', 1)[0], value: Buffer.alloc(1_100_000) } as KafkaRecord;
    await client.connect();
    await assert.rejects(client.send([large]), { code: 'packet-too-large', kind: 'refused' });
    await persist(client, records('client-large', 1, 1));
    assert.deepEqual((await kafka.consume('client-large', { count: 2 })).map(({ value }) => value).toSorted(), ['0', '1']);
  });

  it('a topic name that Kafka does not know for one is refused', async () => {
    const client = open(kafka.brokers);
    await client.connect();
    await assert.rejects(client.send(records('no topic', 1)), { code: 'topic-name-invalid', kind: 'refused' });
  });

  it('a missing topic that may not be made is a failure to be repeated', async () => {
    const client = open(kafka.brokers, { allowAutoTopicCreation: false });
    await client.connect();
    await assert.rejects(client.send(records('client-missing', 1)), { code: 'kafka-failed' });
  });

  it('with nobody there it fails in bounded time, and close ends it at once', async () => {
    const { complaints } = watchProcess();
    const client = open(`127.0.0.1:${await freePort()}`);
    await assert.rejects(within(client.connect(), 5_000), { code: 'kafka-failed' });
    const attempt = client.connect();
    attempt.catch(() => undefined);
    const began = performance.now();
    await client.close();
    assert.ok(performance.now() - began < 1_500);
    await assert.rejects(within(attempt, 3_000), { code: 'kafka-failed' });
    assert.deepEqual(complaints, []);
  });

  it('somebody who takes the connection and never answers is given up', async () => {
    const { complaints } = watchProcess();
    const sockets = new Set<Socket>();
    const port = await freePort();
    const mute = createServer((socket) => sockets.add(socket.on('error', () => undefined))).listen(port, '127.0.0.1');
    atEnd('mute server', () => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const client = open(`127.0.0.1:${port}`);
    const attempt = client.connect();
    attempt.catch(() => undefined);
    await within(new Promise((resolve) => mute.once('connection', resolve)), 2_000);
    const began = performance.now();
    await client.close();
    assert.ok(performance.now() - began < 1_500);
    await assert.rejects(within(attempt, 3_000), { code: 'kafka-failed' });
    assert.deepEqual(complaints, []);
  });
});

describe('the Kafka client while Kafka comes and goes', function () {
  this.timeout(180_000);

  it('killed, frozen and restarted under load, Kafka holds every record, in order of first appearance per key', async () => {
    const { complaints } = watchProcess();
    const folder = temporaryFolder('kafka-comes-and-goes');
    atEnd('folder of Kafka', () => {
      folder.remove();
    });
    const port = await freePort();
    let kafka = await startKafka({ port, dir: folder.path });
    const client = open(kafka.brokers);
    const batches = 60;
    const size = 100;
    let failures = 0;
    for (let batch = 0; batch < batches; batch++) {
      const sending = persist(client, records('restless', size, batch * size));
      if (batch === 15) {
        await kafka.kill();
        kafka = await startKafka({ port, dir: folder.path });
      }
      if (batch === 30) {
        // longer than a request may take
        kafka.freeze();
        const frozen = kafka;
        setTimeout(() => {
          frozen.thaw();
        }, 3_000);
      }
      if (batch === 45) {
        await kafka.stop();
        kafka = await startKafka({ port, dir: folder.path });
      }
      failures += await sending;
    }
    assert.ok(failures > 0, 'the outages were felt');
    const arrived = await kafka.consume('restless');
    for (let car = 0; car < 7; car++) {
      const own = [...new Set(arrived.filter(({ key }) => key === `car-${car}`).map(({ value }) => Number(value)))];
      const sent = records('restless', batches * size).flatMap(({ key, value }) => (key === `car-${car}` ? Number(value.toString()) : []));
      assert.deepEqual(own, sent);
    }
    const began = performance.now();
    await kafka.kill();
    await client.close();
    assert.ok(performance.now() - began < 3_000);
    assert.deepEqual(complaints, []);
  });
});
