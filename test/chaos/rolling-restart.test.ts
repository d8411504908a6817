import assert from 'node:assert/strict';
import { startCluster } from '../support/node.ts';
import { Load } from './load.ts';
import { nobodyDied } from './operator.ts';

/** P1, P2, P5: an upgrade: each node ends by SIGTERM and comes back, while clients go from node to node. */
describe('a rolling restart under load', function () {
  this.timeout(90_000);

  it('loses nothing, doubles no QoS 2, and nobody waits for a lease', async () => {
    const cluster = await startCluster(3);
    const nodes = [...cluster.nodes];
    const load = new Load(nodes, (home) => [0, 1, 2].map((step) => nodes[(home + step) % 3]!.port));
    await load.start();
    for (const [i, { id }] of nodes.entries()) {
      const exit = await nodes[i]!.stop();
      assert.equal(exit.code, 0);
      await load.flows();
      nodes[i] = await cluster.join({ id });
      await load.flows();
    }
    await load.judge();
    for (const { id, longestAwayMs, connects, resumes } of load.devices) {
      assert.ok(longestAwayMs < 2000, `${id} was away for ${longestAwayMs} ms`);
      assert.equal(resumes, connects - 1, `${id} found its session at each return`);
    }
    await nobodyDied(nodes);
    await Promise.all(nodes.map((node) => node.stop()));
    await cluster.redis!.stop();
  });
});
