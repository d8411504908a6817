import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestCluster, type TestNode } from '../support/node.ts';
import { counted } from '../protocol/conversation.ts';

const most = 5_000;

describe('retained messages of two nodes', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  beforeEach(async () => {
    cluster = await startCluster(2, { set: { 'retained.maxMessages': most } });
  });

  afterEach(async () => {
    await cluster.stop();
  });

  async function gauges(value: number, ...more: TestNode[]): Promise<void> {
    for (const node of [...cluster.nodes, ...more]) {
      await eventually(async () => (await counted(node, 'swarmq_retained_messages')) === value, { what: `${value} retained messages at each node` });
    }
  }

  it('are limited over both, however they come in at once, and a node that joins later has the same', async () => {
    const publishers = await Promise.all([0, 1].map((node) => connectClient(cluster.node(node).url)));
    await Promise.all(
      publishers.flatMap((publisher, node) => Array.from({ length: 3_000 }, (_, i) => publisher.publish(`state/${node}/${i}`, 'on', { qos: 1, retain: true }))),
    );
    await gauges(most);
    const dropped = await Promise.all([0, 1].map((node) => counted(cluster.node(node), 'swarmq_messages_dropped_total', 'reason="retained-full"')));
    assert.equal(dropped[0]! + dropped[1]!, 1_000);
    for (const publisher of publishers) await publisher.end();

    const third = await cluster.join();
    await gauges(most, third);
    const subscriber = await connectClient(third.url);
    await subscriber.subscribe('state/#', 0);
    await subscriber.received(most, 20_000);
    await subscriber.end();
    await third.stop();
  });

  it('that are replaced and removed at one node are so at the other', async () => {
    const publisher = await connectClient(cluster.node(1).url);
    const subscriptionTo = async (filter: string): Promise<string[]> => {
      const subscriber = await connectClient(cluster.node(0).url);
      await subscriber.subscribe(filter, 1);
      // in the order of the topics
      await eventually(() => subscriber.messages.at(-1)?.topic === 'swap/2/x', { what: 'last topic' });
      await subscriber.end();
      return subscriber.messages.map(({ topic, text }) => `${topic} ${text}`);
    };
    for (let i = 0; i < 3; i++) await publisher.publish(`swap/${i}/x`, 'old', { qos: 1, retain: true });
    assert.deepEqual(await subscriptionTo('swap/+/x'), ['swap/0/x old', 'swap/1/x old', 'swap/2/x old']);
    await publisher.publish('swap/0/x', 'new', { qos: 1, retain: true });
    await publisher.publish('swap/1/x', '', { qos: 1, retain: true });
    assert.deepEqual(await subscriptionTo('swap/+/x'), ['swap/0/x new', 'swap/2/x old']);
    assert.deepEqual(await subscriptionTo('swap/#'), ['swap/0/x new', 'swap/2/x old']);
    await gauges(2);
    await publisher.end();
  });
});
