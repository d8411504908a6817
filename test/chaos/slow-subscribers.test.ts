import assert from 'node:assert/strict';
import { startNode } from '../support/node.ts';
import { startRedis } from '../support/redis.ts';
import { eventually } from '../support/eventually.ts';
import { enterRaw, flood, Sink, subscribeRaw } from './flood.ts';
import { weightOf } from './leftovers.ts';
import { figure } from './operator.ts';

const messages = 20_000;
const payloadBytes = 1000;
const frozenEach = 8;

/** P9, P10: subscribers that read nothing any more, under a flood of which each would have to hold 20 MB. */
describe('frozen subscribers under a flood', function () {
  this.timeout(120_000);

  it('take memory up to their limits and no more, and a subscriber that reads gets everything', async () => {
    const redis = await startRedis();
    const node = await startNode({ redis: redis.url, set: { 'queue.maxMessages': 2000, 'queue.maxBytes': 2_000_000, 'socket.highWaterBytes': 65_536 } });
    for (const qos of [0, 1, 2] as const) {
      for (let i = 0; i < frozenEach; i++) {
        const frozen = await enterRaw(node.port, `frozen-${qos}-${i}`, i % 2 === 0);
        await subscribeRaw(frozen, 'flood/#', qos);
        frozen.pause();
      }
    }
    const healthy = await enterRaw(node.port, 'healthy');
    await subscribeRaw(healthy, 'flood/#', 1);
    const sink = new Sink(healthy);
    const publisher = await enterRaw(node.port, 'publisher');
    const { residentMiB: before } = weightOf(node.pid);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, weightOf(node.pid).residentMiB);
    }, 50);
    await flood(publisher, 'flood/1', messages, payloadBytes, sink);
    clearInterval(watch);
    await eventually(() => sink.count === messages, { what: () => `all messages at the one that reads (${sink.count})` });
    assert.equal(sink.gap, null, 'in order');
    // unbounded it would be 24 * 20 MB
    assert.ok(most - before < 200, `the node grew from ${before} to ${most} MiB`);
    assert.ok((await figure([node], 'swarmq_messages_dropped_total')) > messages, 'what was dropped is counted');
    assert.equal(await figure([node], 'swarmq_connections'), 3 * frozenEach + 2, 'nobody was closed');
    publisher.destroy();
    healthy.destroy();
    await node.kill();
    await redis.stop();
  });
});
