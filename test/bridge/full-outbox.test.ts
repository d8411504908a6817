import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';
import { startKafka } from '../support/kafka.ts';
import { startNode } from '../support/node.ts';
import { freePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';

const limit = 100;
const count = 600;

describe('a full outbox', function () {
  this.timeout(120_000);

  it('holds the acknowledgements back while Kafka is away; when it is back all are given, and all is in Kafka', async () => {
    const folder = temporaryFolder('kafka-full-outbox');
    atEnd('folder of Kafka', () => {
      folder.remove();
    });
    const port = await freePort();
    const redis = await startRedis();
    atEnd('Redis', () => redis.stop());
    const rule = { name: 'telemetry', filter: 'vehicles/+/telemetry', topic: 'full-outbox' };
    const config = { bridge: { rules: [rule], outbox: { maxRecords: limit } } };
    const node = await startNode({ redis: redis.url, kafka: `127.0.0.1:${port}`, config });

    const car = await connectClient(node.url, { clientId: 'car-1' });
    const other = await connectClient(node.url, { clientId: 'car-2' });
    let acknowledged = 0;
    let next = 0;
    // twenty on their way at a time, so that the limit is met and not jumped over
    const lane = async (): Promise<void> => {
      while (next < count) {
        await car.publish('vehicles/car-1/telemetry', String(next++));
        acknowledged++;
      }
    };
    const publishing = Promise.all(Array.from({ length: 20 }, lane));
    await eventually(() => acknowledged >= limit, { what: `${limit} acknowledgements` });
    // a message that no rule wants goes through at once, and by its round trips the full outbox had its time
    for (let i = 0; i < 50; i++) await other.publish('somewhere/else', 'x');
    assert.ok(acknowledged <= limit + 20, `${acknowledged} acknowledgements`);

    const kafka = await startKafka({ port, dir: folder.path });
    await publishing;
    assert.equal(acknowledged, count);
    const records = await kafka.consume('full-outbox', { count });
    assert.equal(new Set(records.map(({ value }) => value)).size, count);
    await car.end();
    await other.end();
    await node.stop();
  });
});
