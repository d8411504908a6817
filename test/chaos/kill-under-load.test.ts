import assert from 'node:assert/strict';
import { connectClient, type Client } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startCluster, type TestNode } from '../support/node.ts';

const rounds = 10;
const window = 100;

/** P1, P2, P4: whatever was acknowledged arrives, in order, whoever is killed. */
describe('kill -9 of a node under load', function () {
  this.timeout(240_000);

  it('loses no acknowledged QoS 1 message of a publisher with 100 in flight, 10 rounds', async () => {
    const cluster = await startCluster(3);
    const nodes = [...cluster.nodes];
    const ledger = new Ledger();
    ledger.subscriber('persistent', 1);
    let seq = 0;
    let subscriber = await subscribe(nodes[2]!, ledger);
    for (let round = 0; round < rounds; round++) {
      const victim = nodes[round % 2]!;
      const publisher = await connectClient(victim.url, { clientId: 'publisher', clean: false });
      let isDead = false;
      const pump = async (): Promise<void> => {
        while (!isDead) {
          const mine = seq++;
          ledger.published('publisher', 'load', mine, 1);
          try {
            await publisher.publish('load', String(mine), { qos: 1 });
            ledger.acknowledged('publisher', 'load', mine);
          } catch {
            return;
          }
        }
      };
      const before = ledger.acknowledgedCount;
      for (let i = 0; i < window; i++) void pump();
      await eventually(() => ledger.acknowledgedCount > before + 500, { what: 'acknowledged messages' });
      await victim.kill();
      isDead = true;
      publisher.drop();
      nodes[round % 2] = await cluster.join();
    }
    // the subscriber's node too, once: its session goes on elsewhere
    await nodes[2]!.kill();
    subscriber.drop();
    subscriber = await subscribe(nodes[0]!, ledger);
    await eventually(() => ledger.missing('persistent') === 0, { withinMs: 30_000, what: () => `the last ${ledger.missing('persistent')} of ${ledger.acknowledgedCount} messages` });
    ledger.assertHolds();
    assert.ok(ledger.acknowledgedCount >= rounds * 500);
    await subscriber.end();
    await Promise.all(nodes.slice(0, 2).map((node) => node.stop()));
    await cluster.stop();
  });
});

async function subscribe(node: TestNode, ledger: Ledger): Promise<Client> {
  const client = await connectClient(node.url, { clientId: 'subscriber', clean: false });
  const seen = { count: 0 };
  const note = (): void => {
    for (; seen.count < client.messages.length; seen.count++) ledger.received('persistent', 'publisher', 'load', Number(client.messages[seen.count]!.text));
  };
  note();
  client.mqtt.on('message', () => {
    setImmediate(note);
  });
  await client.subscribe('load', 1);
  return client;
}
