import assert from 'node:assert/strict';
import { leaseBury } from '../../cluster/burial.ts';
import type { ClusterHandlers } from '../../cluster/cluster.ts';
import { leaseRenew } from '../../cluster/lease.ts';
import { Keys } from '../../src/redis/keys.ts';
import { answer } from '../../src/redis/script.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { join, leaseMs, renewMs, settled, type Joined } from './joined.ts';

const keys = new Keys('sq:');

/** Who did what, over all nodes: what the burials of a test amount to. */
class Ledger {
  readonly clients: string[] = [];
  readonly routes: string[] = [];

  handlers(name: string): Pick<ClusterHandlers, 'buryClient' | 'buryRoutes'> {
    return {
      buryClient: async (dead, clientId) => {
        this.clients.push(`${name} ${dead} ${clientId}`);
        await Promise.resolve();
      },
      buryRoutes: async (dead) => {
        this.routes.push(`${name} ${dead}`);
        await Promise.resolve();
      },
    };
  }
}

describe('nodes: burials', () => {
  let server: RedisServer;

  beforeEach(async () => {
    server = await startRedis();
  });

  async function isBuried(dead: string): Promise<boolean> {
    return (await server.client().hexists(keys.members(), dead)) === 0;
  }

  async function serveMany(node: Joined, count: number): Promise<string[]> {
    const clients = Array.from({ length: count }, (_, i) => `client ${i} ü`);
    await Promise.all(clients.map((id) => node.cluster.serve(id)));
    return clients;
  }

  it('a node that was killed is buried once: every client, then the routes, then nothing of it is left', async () => {
    const ledger = new Ledger();
    const a = await join(server, 'a');
    const others = await Promise.all(['b', 'c', 'd'].map((name) => join(server, name, ledger.handlers(name))));
    await settled(a, ...others);
    const clients = await serveMany(a, 1200);
    await others[0]!.send(a.incarnation, 'unread');
    const dead = a.incarnation;
    await a.kill();
    await eventually(() => isBuried(dead), { what: 'burial' });
    assert.equal(ledger.routes.length, 1);
    const burier = ledger.routes[0]!.split(' ')[0]!;
    assert.deepEqual(ledger.clients.sort(), clients.map((id) => `${burier} ${dead} ${id}`).sort());
    const redis = server.client();
    assert.deepEqual((await redis.keys('*a#*')).sort(), [keys.lease(dead)]);
    assert.equal(await redis.get(keys.lease(dead)), 'buried');
    await settled(...others);
    const burials = await Promise.all(others.map((node) => node.metric('swarmq_burials_total')));
    assert.equal(burials.reduce((sum, n) => sum + n), 1);
  });

  it('from the kill to the last will it takes the lease, two looks, and little more', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    const joinedAt = performance.now();
    await settled(a, b);
    await eventually(() => performance.now() - joinedAt > leaseMs + renewMs, { what: 'steady sight' });
    await serveMany(a, 10);
    const killedAt = performance.now();
    await a.kill();
    await eventually(() => b.events.length === 11, { what: 'burial' });
    assert.ok(performance.now() - killedAt < leaseMs + renewMs + 500);
  });

  it('clients are buried many at a time, but not all', async () => {
    let now = 0;
    let most = 0;
    const a = await join(server, 'a');
    const b = await join(server, 'b', {
      buryClient: async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now--;
      },
    });
    await settled(a, b);
    await serveMany(a, 700);
    const dead = a.incarnation;
    await a.kill();
    await eventually(() => isBuried(dead), { what: 'burial' });
    assert.equal(most, 50);
  });

  it('a client whose burial fails is tried again until it succeeds; the node stays listed as long', async () => {
    let failures = 0;
    const buried: string[] = [];
    const a = await join(server, 'a');
    const b = await join(server, 'b', {
      buryClient: async (_, clientId) => {
        if (clientId === 'hard' && ++failures <= 2) {
          assert.equal(await isBuried(dead), false);
          throw new Error('not yet');
        }
        buried.push(clientId);
      },
    });
    await settled(a, b);
    const dead = a.incarnation;
    for (const id of ['easy', 'hard', 'simple']) await a.cluster.serve(id);
    await a.kill();
    await eventually(() => isBuried(dead), { what: 'burial' });
    assert.deepEqual(buried.sort(), ['easy', 'hard', 'simple']);
    assert.equal(failures, 3);
    assert.deepEqual(b.events, [`bury routes ${dead}`]);
  });

  it('routes whose burial fails are tried again', async () => {
    let attempts = 0;
    const a = await join(server, 'a');
    const b = await join(server, 'b', { buryRoutes: () => (++attempts < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve()) });
    await settled(a, b);
    const dead = a.incarnation;
    await a.kill();
    await eventually(() => isBuried(dead), { what: 'burial' });
    assert.equal(attempts, 3);
  });

  it('a burial goes on at another node when the burier dies half-way, and the burier is buried too', async () => {
    const ledger = new Ledger();
    const a = await join(server, 'a');
    const nodes = new Map<string, Joined>();
    let halted: string | null = null;
    for (const name of ['b', 'c']) {
      const { buryClient, buryRoutes } = ledger.handlers(name);
      const node = await join(server, name, {
        buryRoutes,
        buryClient: async (dead, clientId) => {
          if (halted === null && ledger.clients.length >= 20) halted = name;
          if (halted === name) return new Promise(() => undefined);
          return buryClient(dead, clientId);
        },
      });
      nodes.set(name, node);
    }
    await settled(a, ...nodes.values());
    const clients = await serveMany(a, 300);
    const dead = a.incarnation;
    await a.kill();
    const burier = nodes.get(await eventually(() => halted, { what: 'halt half-way' }))!;
    // its process is gone: nothing of it goes on
    burier.proxy.down();
    await eventually(async () => (await isBuried(dead)) && (await isBuried(burier.incarnation)), { withinMs: 10_000, what: 'both burials' });
    const buried = new Set(ledger.clients.map((line) => line.slice(line.indexOf(' client') + 1)));
    assert.deepEqual([...buried].sort(), [...clients].sort());
    assert.equal(ledger.routes.filter((line) => line.endsWith(` ${dead}`)).length, 1);
  });

  it('a node that retired buries nobody', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    const c = await join(server, 'c');
    await settled(a, b, c);
    await b.cluster.retire();
    const dead = a.incarnation;
    await a.kill();
    await eventually(() => isBuried(dead), { what: 'burial' });
    assert.deepEqual(b.events, []);
    assert.deepEqual(c.events, [`bury routes ${dead}`]);
  });

  it('a node that starts alone buries its former life', async () => {
    const former = await join(server, 'a');
    await former.cluster.serve('one');
    const dead = former.incarnation;
    await former.kill();
    const a = await join(server, 'a');
    await eventually(() => isBuried(dead), { what: 'burial' });
    assert.deepEqual(a.events, [`bury ${dead} one`, `bury routes ${dead}`]);
  });

  it('burier and node never both win: of renewals and burials at the same time one side is refused', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    for (let round = 0; round < 200; round++) {
      const lease = keys.lease(`x#${round}`);
      const [renewed, buried] = await Promise.all([
        leaseRenew.run(a.link, { lease }, { lease_ms: 60_000 }),
        leaseBury.run(b.link, { lease }, { mark_ms: 60_000 }),
      ]);
      const words = [answer(renewed).word, answer(buried).word];
      assert.ok(words.join() === 'ok,alive' || words.join() === 'buried,buried', words.join());
    }
  });

  it('Redis away for longer than the lease: nobody is buried, and all go on', async () => {
    await server.stop();
    server = await startRedis({ appendonly: true });
    const nodes = await Promise.all(['a', 'b', 'c'].map((name) => join(server, name)));
    await settled(...nodes);
    const lives = nodes.map((node) => node.incarnation);
    await Promise.all(nodes.map((node) => serveMany(node, 20)));
    await server.kill();
    await eventually(() => nodes.every((node) => !node.cluster.isCertain), { what: 'doubt everywhere' });
    const certain = Promise.all(nodes.map((node) => node.cluster.whenCertain()));
    await server.restart();
    await certain;
    const redis = server.client();
    const since = performance.now();
    await eventually(() => performance.now() - since > leaseMs * 2.5, { what: 'time to do wrong' });
    assert.deepEqual(nodes.map((node) => node.incarnation), lives);
    assert.deepEqual(nodes.flatMap((node) => node.events), []);
    assert.equal((await redis.hkeys(keys.members())).length, 3);
    await nodes[0]!.send(nodes[1]!.incarnation, 'hello');
    await eventually(() => nodes[1]!.frames.length === 1, { what: 'frame after the outage' });
  });

  it('Redis that hangs for longer than the lease: nobody is buried, and all go on', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((name) => join(server, name)));
    await settled(...nodes);
    const lives = nodes.map((node) => node.incarnation);
    server.pause();
    const since = performance.now();
    await eventually(() => performance.now() - since > leaseMs * 2, { what: 'long hang' });
    assert.ok(nodes.every((node) => !node.cluster.isCertain));
    server.resume();
    await Promise.all(nodes.map((node) => node.cluster.whenCertain()));
    const back = performance.now();
    await eventually(() => performance.now() - back > leaseMs * 2.5, { what: 'time to do wrong' });
    assert.deepEqual(nodes.map((node) => node.incarnation), lives);
    assert.deepEqual(nodes.flatMap((node) => node.events), []);
  });

  it('a node that really died while Redis was away is buried afterwards', async () => {
    await server.stop();
    server = await startRedis({ appendonly: true });
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    await settled(a, b);
    await a.cluster.serve('one');
    const dead = a.incarnation;
    await server.kill();
    await a.kill();
    await server.restart();
    await eventually(() => b.events.length === 2, { what: 'burial' });
    assert.deepEqual(b.events, [`bury ${dead} one`, `bury routes ${dead}`]);
  });
});
