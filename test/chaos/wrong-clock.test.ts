import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestNode } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';
import { Load, quickLease } from './load.ts';
import { figure, nobodyDied } from './operator.ts';

const tenMinutesMs = 600_000;

/** P1, P3, P7: what all nodes must agree on goes by the clock of Redis. */
describe('nodes whose clocks are ten minutes off, one ahead and one behind', function () {
  this.timeout(90_000);

  const wrongBy = (ms: number): readonly string[] => ['--import', new URL(`wrong-clock.mjs?by=${ms}`, import.meta.url).href];

  it('keep their leases, lose nothing under load, and bury a dead node as any other does', async () => {
    const cluster = await startCluster(1, { set: quickLease });
    const ahead = await cluster.join({ execArgv: wrongBy(tenMinutesMs) });
    const behind = await cluster.join({ execArgv: wrongBy(-tenMinutesMs) });
    const nodes = [cluster.node(0), ahead, behind];
    const firstLine = (node: TestNode): number => Date.parse(String(node.logs()[0]!['time']));
    assert.ok(firstLine(ahead) - firstLine(behind) > 1.9 * tenMinutesMs, 'their clocks are off');
    const load = new Load(nodes, (home) => [0, 1, 2].map((step) => nodes[(home + step) % 3]!.port));
    await load.start();
    await load.flows(50);
    await nobodyDied(nodes);
    await cluster.node(0).kill();
    await eventually(async () => (await figure([ahead, behind], 'swarmq_burials_total')) === 1, { withinMs: 15_000, what: 'burial' });
    await load.flows(50);
    await load.judge();
    assert.equal(await figure([ahead, behind], 'swarmq_fenced_total'), 0);
    await Promise.all([ahead, behind].map((node) => node.stop()));
    await cluster.redis!.stop();
  });

  it('agree on when a message expires, a session ends and a will is due', async () => {
    const cluster = await startCluster(1, { execArgv: wrongBy(tenMinutesMs) });
    const behind = await cluster.join({ execArgv: wrongBy(-tenMinutesMs) });
    const properties = { sessionExpiryInterval: 2 };
    const will = { topic: 'clock/will', payload: Buffer.from('due'), qos: 1 as const, retain: false, properties: { willDelayInterval: 1 } };
    const mourner = await openPackets(behind.port, 5);
    await mourner.connect();
    mourner.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'clock/#', qos: 1 }] });
    await mourner.expect({ cmd: 'suback' });
    const publisher = await openPackets(cluster.node(0).port, 5);
    await publisher.connect({ clean: false, clientId: 'mortal', properties, will });
    const message = { cmd: 'publish', topic: 'clock/message', payload: 'fresh', qos: 1, messageId: 1, dup: false, retain: false } as const;
    publisher.send({ ...message, properties: { messageExpiryInterval: 60 } });
    const arrived = await mourner.expect({ cmd: 'publish', payload: 'fresh' });
    const left = (arrived as { properties?: { messageExpiryInterval?: number } }).properties?.messageExpiryInterval ?? 0;
    assert.ok(left >= 55 && left <= 61, `${left} of its 60 s are left, give or take what the clocks differ after all`);
    const diedAt = performance.now();
    publisher.destroy();
    await mourner.expect({ cmd: 'publish', payload: 'due' }, 10_000);
    const afterMs = performance.now() - diedAt;
    assert.ok(afterMs > 900 && afterMs < 6000, `the will came after ${Math.round(afterMs)} ms`);
    const redis = cluster.redis!.client();
    await eventually(async () => (await redis.exists('sq:s:{mortal}')) === 0, { withinMs: 10_000, what: 'end of the session' });
    mourner.destroy();
    await behind.stop();
    await cluster.stop();
  });
});
