import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { startCluster, startNode, type TestNode } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';
import { startRedis } from '../support/redis.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { Device, type DeviceOptions } from './device.ts';
import { Load, quickLease } from './load.ts';
import { figure, readyAgain } from './operator.ts';

/** Two faults of a network, and how each ends. */
const faults: readonly (readonly [name: string, begin: (proxy: TcpProxy) => void, end: (proxy: TcpProxy) => void])[] = [
  ['cut', (proxy) => { proxy.down(); }, (proxy) => { proxy.up(); }],
  ['frozen: nothing passes, and all of it when the fault ends', (proxy) => { proxy.freeze(); }, (proxy) => { proxy.thaw(); }],
];

/** P1, P3, P5: a node that clients reach and that does not reach Redis. */
describe('a node cut from Redis under load', function () {
  this.timeout(90_000);

  for (const [name, begin, end] of faults) {
    it(`${name}, past its lease, while its clients move: it fences itself, and its stale writes are refused`, async () => {
      const redis = await startRedis();
      const proxy = await startProxy(redis.port);
      const set = { ...quickLease, 'redis.commandTimeoutMs': 10_000 };
      const cluster = await startCluster(2, { redis: redis.url, set });
      const lonely = await startNode({ redis: `redis://127.0.0.1:${proxy.port}`, set });
      const nodes = [...cluster.nodes, lonely];
      const stays = new Set<TestNode>([lonely]);
      const load = new Load(nodes, (home) => (nodes[home] === lonely && !stays.has(lonely) ? [nodes[0]!.port] : [nodes[home]!.port]));
      await load.start();
      begin(proxy);
      // messages that the node took, and could not commit
      const [publisher, subscriber] = [load.publishers[2]!, load.subscribers[1]!];
      await eventually(() => publisher.inFlight >= 20, { what: 'messages that wait for a commit' });
      stays.clear();
      publisher.cut();
      subscriber.cut();
      await load.flows();
      assert.equal(publisher.resumes, 1, 'its session goes on elsewhere');
      await eventually(async () => (await figure(cluster.nodes, 'swarmq_burials_total')) === 1, { withinMs: 15_000, what: 'burial of the node' });
      const stuck = await openPackets(lonely.port);
      end(proxy);
      await lonely.logged('this life of the node was buried by the others: beginning a new one');
      await stuck.expectClosed();
      await readyAgain(nodes);
      await load.flows();
      // the new life serves as any other
      const { ledger } = load;
      const late = new Device({ id: 'late', ports: () => [lonely.port], ledger, subscribe: { filters: ['late/#'], qos: 2 } });
      await late.ready();
      load.publishers[0]!.publish('late/1', 1);
      load.publishers[1]!.publish('late/2', 2);
      await eventually(() => ledger.missing('late') === 0 && late.arrivals >= 2, { what: 'messages to a client of the new life' });
      await load.judge();
      assert.equal(await figure(nodes, 'swarmq_burials_total'), 1);
      late.leave();
      await lonely.stop();
      await cluster.stop();
      await proxy.stop();
      await redis.stop();
    });
  }

  it('for less than its lease: it goes on with its clients', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const cluster = await startCluster(2, { redis: redis.url });
    const lonely = await startNode({ redis: `redis://127.0.0.1:${proxy.port}` });
    const nodes = [...cluster.nodes, lonely];
    const load = new Load(nodes);
    await load.start();
    proxy.cut();
    await load.flows();
    proxy.down();
    await eventually(() => load.publishers[2]!.inFlight >= 20, { what: 'messages that wait for a commit' });
    proxy.up();
    await load.flows();
    load.assertKept();
    await load.judge();
    await lonely.stop();
    await cluster.stop();
    await proxy.stop();
    await redis.stop();
  });

  for (const clean of [false, true]) {
    it(`just after Redis took the messages of a ${clean ? 'clean' : 'persistent'} publisher: they reach everyone, QoS 0 and 2 once, though the node never heard the answer`, async () => {
      const redis = await startRedis();
      const proxy = await startProxy(redis.port);
      const other = await startNode({ redis: redis.url });
      const cutOff = await startNode({ redis: `redis://127.0.0.1:${proxy.port}` });
      const ledger = new Ledger();
      const device = (id: string, { port }: TestNode, options: Partial<DeviceOptions> = {}): Device => new Device({ id, ports: () => [port], ledger, ...options });
      const subscribe = { filters: ['once/#'], qos: 2 } as const;
      const publisher = device('publisher', cutOff, { clean });
      const subscribers = [device('near', cutOff, { subscribe }), device('far', other, { subscribe }), device('clean', other, { subscribe, clean: true })];
      await Promise.all([publisher, ...subscribers].map((one) => one.ready()));
      const direct = redis.client();
      proxy.slow(300);
      publisher.publish('once/2', 2);
      publisher.publish('once/0', 0);
      await eventually(async () => (await direct.xlen('sq:s:{far}:q')) === 1, { what: 'message in the queue' });
      proxy.cut();
      proxy.slow(0);
      await publisher.settle();
      publisher.publish('once/end', 2);
      await publisher.settle();
      for (const { id } of subscribers) await eventually(() => ledger.missing(id) === 0, { what: `message at ${id}` });
      await eventually(() => subscribers.every(({ arrivals }) => arrivals === 3), { what: 'three messages, QoS 0 too, at each' });
      ledger.assertHolds();
      await Promise.all([other.stop(), cutOff.stop()]);
      await proxy.stop();
      await redis.stop();
    });
  }
});
