import assert from 'node:assert/strict';
import { connectClient, type Client } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { sharedKafka, type KafkaRecord } from '../support/kafka.ts';
import { Ledger } from '../support/ledger.ts';
import { startCluster, type TestCluster, type TestNode } from '../support/node.ts';
import { fleet, type Car, type Telemetry } from '../support/vehicles.ts';

const carCount = 50;
const reports = 200;
const inFlight = 20;
const topic = 'fleet-telemetry';

describe('a fleet of cars and Kafka', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  let ledger: Ledger;

  before(async () => {
    const kafka = await sharedKafka();
    const rule = { name: 'telemetry', filter: 'vehicles/+/telemetry', topic, key: '${clientid}' };
    cluster = await startCluster(3, { kafka: kafka.brokers, config: { bridge: { rules: [rule] } } });
    ledger = new Ledger();
    ledger.subscriber('kafka');
  });
  after(() => cluster.stop());

  const leads = async (node: TestNode): Promise<boolean> => {
    if (!node.isRunning) return false;
    const page = await (await fetch(`${node.adminUrl}/metrics`)).text();
    return /^swarmq_bridge_leader(\{.*\})? 1$/m.test(page);
  };

  const leader = (): Promise<TestNode> =>
    eventually(
      async () => {
        for (const node of cluster.nodes) if (await leads(node)) return node;
        return null;
      },
      { withinMs: 30_000, what: 'node that leads the bridge' },
    );

  /** Connects the car to the first node that takes it, its own before the others. */
  function connectCar(car: Car, home: number): Promise<Client> {
    let attempt = home;
    return eventually(
      () => {
        const node = cluster.node(attempt++ % cluster.nodes.length);
        return node.isRunning && connectClient(node.url, { clientId: car.vin }, 3_000);
      },
      { withinMs: 30_000, what: `connection of ${car.vin}` },
    );
  }

  /** Sends all reports, up to twenty of them unacknowledged; after a lost connection those again, in their order. */
  async function drive(car: Car, home: number): Promise<void> {
    let client = await connectCar(car, home);
    const open: Telemetry[] = [];
    for (let sent = 0; sent < reports || open.length > 0; ) {
      while (open.length < inFlight && sent++ < reports) open.push(car.next());
      const batch = [...open];
      const answers = batch.map((report) => {
        ledger.published(car.vin, car.topic, report.sequence, 1);
        return client.publish(car.topic, JSON.stringify(report)).then(() => {
          ledger.acknowledged(car.vin, car.topic, report.sequence);
          open.shift();
        });
      });
      const isThrough = await Promise.race([Promise.all(answers).then(() => true, () => false), client.closed.then(() => false)]);
      if (isThrough) continue;
      for (const answer of answers) answer.catch(() => undefined);
      client.drop();
      client = await connectCar(car, home + 1);
    }
    await client.end();
  }

  it('every acknowledged report of 10,000 is in Kafka, in order per car, although the leader is killed in the middle', async () => {
    const kafka = await sharedKafka();
    const first = await leader();
    const driving = Promise.all(fleet(carCount).map((car, i) => drive(car, i)));
    await eventually(() => ledger.acknowledgedCount > 3_000, { withinMs: 60_000, what: '3,000 acknowledged reports' });
    await first.kill();
    await driving;
    assert.equal(ledger.acknowledgedCount, carCount * reports);
    const second = await leader();
    assert.notEqual(second.id, first.id);

    const records = await eventually(
      async () => {
        const all = await kafka.consume(topic);
        return new Set(all.map(({ key, value }) => `${key} ${sequenceOf(value)}`)).size >= carCount * reports && all;
      },
      { withinMs: 60_000, what: 'all reports in Kafka' },
    );
    for (const { key, value, headers } of records) ledger.received('kafka', key ?? '', headers['mqtt-topic'] ?? '', sequenceOf(value));
    ledger.assertHolds();
  });
});

function sequenceOf(value: KafkaRecord['value']): number {
  return (JSON.parse(value ?? '{}') as Partial<Telemetry>).sequence ?? 0;
}
