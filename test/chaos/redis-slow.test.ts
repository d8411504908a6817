import { startCluster } from '../support/node.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { startRedis } from '../support/redis.ts';
import { Device } from './device.ts';
import { Load, quickLease } from './load.ts';
import { nobodyDied, readyAgain } from './operator.ts';

/** P4, P10: every answer of Redis takes 200 ms longer. */
describe('a slow Redis under load', function () {
  this.timeout(90_000);

  it('slows acknowledgements and nothing else: clients stay and come, order holds, nodes stay ready', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const cluster = await startCluster(3, { redis: `redis://127.0.0.1:${proxy.port}`, set: quickLease });
    const load = new Load(cluster.nodes);
    await load.start();
    // commands and answers, 100 ms each
    proxy.slow(100);
    const { ledger } = load;
    const late = new Device({ id: 'late', ports: () => [cluster.node(1).port], ledger, subscribe: { filters: ['late'], qos: 2 } });
    await late.ready();
    late.publish('late', 2);
    await late.settle();
    await load.flows(100);
    await readyAgain(cluster.nodes);
    proxy.slow(0);
    await load.flows();
    load.assertKept();
    await load.judge();
    await nobodyDied(cluster.nodes);
    await cluster.stop();
    await proxy.stop();
    await redis.stop();
  });
});
