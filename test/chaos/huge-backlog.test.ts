import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { startNode } from '../support/node.ts';
import { startRedis } from '../support/redis.ts';
import { enterRaw, flood, Sink, subscribeRaw } from './flood.ts';
import { weightOf } from './leftovers.ts';

/** SWARMQ_BACKLOG=1000000 for the long form. */
const messages = Number(process.env['SWARMQ_BACKLOG'] ?? 100_000);
const payloadBytes = 100;
const mostGrowthMiB = 100;

/** P2, P9, P10: a client that was away for very long comes back. */
describe(`a backlog of ${messages} messages`, function () {
  this.timeout(600_000);

  it('is drained in order while the node\'s memory stays as it was and others are served', async () => {
    const redis = await startRedis();
    const node = await startNode({ redis: redis.url, set: { 'queue.maxMessages': 2 * messages, 'queue.maxBytes': 1000 * messages } });
    const away = await enterRaw(node.port, 'away', false);
    await subscribeRaw(away, 'backlog', 1);
    away.destroy();
    await flood(await enterRaw(node.port, 'publisher'), 'backlog', messages, payloadBytes);
    const direct = redis.client();
    assert.equal(await direct.xlen('sq:s:{away}:q'), messages);

    const live = await enterRaw(node.port, 'live');
    await subscribeRaw(live, 'live', 1);
    const liveSink = new Sink(live);
    const { residentMiB: before } = weightOf(node.pid);
    const sink = new Sink(await enterRaw(node.port, 'away', false));
    const flooding = flood(await enterRaw(node.port, 'live-publisher'), 'live', 1000, payloadBytes);
    let most = 0;
    await eventually(() => {
      most = Math.max(most, weightOf(node.pid).residentMiB);
      return sink.count >= messages;
    }, { withinMs: 300_000, what: () => `the whole backlog (${sink.count})` });
    await flooding;
    assert.deepEqual([sink.next, sink.gap, liveSink.next], [messages, null, 1000]);
    assert.ok(most - before < mostGrowthMiB, `the node grew from ${before} to ${most} MiB`);
    await eventually(async () => (await direct.xlen('sq:s:{away}:q')) === 0, { what: 'empty queue' });
    await node.stop();
    await redis.stop();
  });
});
