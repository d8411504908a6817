import assert from 'node:assert/strict';
import type { RouteChange } from '../../cluster/cluster.ts';
import type { Encoded } from '../../src/redis/batch.ts';
import { Keys } from '../../src/redis/keys.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { join, prepare, type Joined } from './joined.ts';

const keys = new Keys('sq:');

function wants(filter: string, target: string, options = 'q1', version = 0): RouteChange {
  return { filter, target, version, options: Buffer.from(options) };
}

function gone(filter: string, target: string, version = 0): RouteChange {
  return { filter, target, version, options: null };
}

describe('nodes: routes', () => {
  let server: RedisServer;
  let a: Joined;
  let b: Joined;

  beforeEach(async () => {
    server = await startRedis();
    a = await join(server, 'a');
    b = await join(server, 'b');
    await a.cluster.routes.load(a.table);
    await b.cluster.routes.load(b.table);
  });

  it('a change that resolved on one node is seen by the next commit on another, 1,000 times', async () => {
    for (let i = 0; i < 1000; i++) {
      const change = i % 3 === 2 ? gone(`f/${i - 1}`, 'a#1') : wants(`f/${i}`, 'a#1', String(i));
      await a.cluster.routes.change([change]);
      assert.equal(await b.follow(), true);
      assert.equal(b.table.routes.has(`${change.filter} a#1`), change.options !== null, change.filter);
    }
    assert.equal(b.table.resets, 1);
    assert.equal(b.table.routes.size, 334);
  });

  it('the last word on a route counts, on the node that said it too', async () => {
    await a.cluster.routes.change([wants('f', 'x', '1'), wants('f', 'x', '2'), wants('f', 'y', ''), gone('f', 'x'), wants('f', 'x', '3')]);
    assert.equal(await a.follow(), true);
    assert.equal(await b.follow(), true);
    assert.deepEqual(a.table.all, ['f x 3', 'f y ']);
    assert.deepEqual(b.table.all, a.table.all);
  });

  it('a change of a lower version than the one that stands comes too late, on the node that says it too', async () => {
    await a.cluster.routes.change([wants('f', 'x', 'new', 2), wants('g', 'x', 'new', 2)]);
    await b.cluster.routes.change([gone('f', 'x', 1), wants('g', 'x', 'old', 1), wants('h', 'x', 'old', 1)]);
    while (!(await a.follow())) await a.cluster.routes.catchUp();
    assert.equal(await b.follow(), true);
    assert.deepEqual(a.table.all, ['f x new', 'g x new', 'h x old']);
    assert.deepEqual(b.table.all, a.table.all);
    await b.cluster.routes.change([gone('f', 'x', 2), wants('g', 'x', 'newer', 3), gone('h', 'x', 9)]);
    assert.equal(await a.follow(), true);
    assert.deepEqual(a.table.all, ['g x newer']);
    assert.deepEqual(b.table.all, a.table.all);
  });

  it('what the table says already counts from its highest version on, without an entry in the log', async () => {
    await a.cluster.routes.change([wants('f', 'x', 'same', 1), wants('f', 'x', 'same', 5)]);
    assert.equal(await server.client().xlen(keys.routeLog()), 1);
    await a.cluster.routes.change([gone('f', 'x', 4)]);
    assert.equal(await b.follow(), true);
    assert.deepEqual(b.table.all, ['f x same']);
  });

  it('a change that others have changed again meanwhile does not come back on the node that said it', async () => {
    for (let i = 1; i <= 300; i++) {
      await Promise.all([a.cluster.routes.change([wants('f', 'x', `a${i}`, 2 * i)]), b.cluster.routes.change([gone('f', 'x', 2 * i + 1)])]);
      for (const node of [a, b]) while (!(await node.follow())) await node.cluster.routes.catchUp();
      assert.deepEqual(a.table.all, b.table.all);
    }
  });

  it('changes that were not waited for are written in order', async () => {
    const writes = Array.from({ length: 2000 }, (_, i) => a.cluster.routes.change([i % 2 === 0 ? wants('f', 'x', String(i)) : gone('f', 'x')]));
    writes.push(a.cluster.routes.change([wants('f', 'x', 'last')]));
    await Promise.all(writes);
    while (!(await b.follow())) await b.cluster.routes.catchUp();
    assert.deepEqual(b.table.all, ['f x last']);
  });

  it('what the table says already makes no entry in the log', async () => {
    await a.cluster.routes.change([wants('f', 'x')]);
    await a.cluster.routes.change([wants('f', 'x'), gone('f', 'unknown')]);
    assert.equal(await server.client().xlen(keys.routeLog()), 1);
  });

  it('thousands of changes at once are one snapshot away, filters and options byte for byte', async () => {
    const options = Buffer.from([0, 255, 10, 13]);
    await a.cluster.routes.change(Array.from({ length: 4000 }, (_, i) => ({ filter: `fä/${i}/+/#`, target: 'x#1', version: 0, options })));
    const c = await join(server, 'c');
    const seen: Omit<RouteChange, 'version'>[] = [];
    await c.cluster.routes.load({ reset: () => undefined, change: (change) => seen.push(change) });
    assert.equal(new Set(seen.map((change) => change.filter)).size, 4000);
    assert.ok(seen.every((change) => change.options?.equals(options) && change.target === 'x#1'));
    assert.equal(await c.follow(), true);
  });

  it('more news than one look can hold: not up to date, then caught up without a new snapshot', async () => {
    const c = await join(server, 'c');
    c.deafen();
    await c.cluster.routes.load(c.table);
    await a.cluster.routes.change(Array.from({ length: 3500 }, (_, i) => wants(`f/${i}`, 'x')));
    assert.equal(await c.follow(), false);
    await c.cluster.routes.catchUp();
    assert.equal(await c.follow(), true);
    assert.equal(c.table.routes.size, 3500);
    assert.equal(c.table.resets, 1);
    assert.equal(await c.metric('swarmq_route_log_behind_total'), 0);
  });

  it('a node that fell behind the end of the log takes the snapshot again', async () => {
    const c = await join(server, 'c');
    c.deafen();
    await c.cluster.routes.load(c.table);
    await a.cluster.routes.change([wants('old', 'x')]);
    assert.equal(await c.follow(), true);
    await a.cluster.routes.change([gone('old', 'x'), ...Array.from({ length: 900 }, (_, i) => wants(`f/${i}`, 'x'))]);
    await server.client().xtrim(keys.routeLog(), 'MAXLEN', 10);
    assert.equal(await c.follow(), false);
    await c.cluster.routes.catchUp();
    assert.equal(await c.follow(), true);
    assert.equal(c.table.resets, 2);
    assert.equal(c.table.routes.size, 900);
    assert.equal(await c.metric('swarmq_route_log_behind_total'), 1);
  });

  it('the log is trimmed', async () => {
    const c = await prepare(server, 'c', { routeLogEntries: 100 });
    for (let i = 0; i < 10; i++) await c.cluster.routes.change(Array.from({ length: 100 }, (_, n) => wants(`f/${i}/${n}`, 'x')));
    assert.ok((await server.client().xlen(keys.routeLog())) <= 300);
  });

  it('the same news twice, and late, do no harm', async () => {
    await a.cluster.routes.change([wants('f', 'x', '1')]);
    const late = b.link.begin();
    const slot = b.cluster.routes.read(late);
    await new Promise<void>((resolve) => {
      late.commit(() => {
        resolve();
      });
    });
    await a.cluster.routes.change([gone('f', 'x')]);
    await b.cluster.routes.catchUp();
    assert.equal(b.cluster.routes.follow(late, slot), true);
    assert.equal(b.cluster.routes.follow(late, slot), true);
    assert.deepEqual(b.table.all, []);
  });

  it('an idle node follows by itself', async () => {
    await a.cluster.routes.change([wants('f', 'x')]);
    await eventually(() => b.table.all.length === 1, { what: 'route on the idle node' });
  });

  it('after a lost connection a node makes sure that the log still tells its history', async () => {
    await a.cluster.routes.change([wants('f', 'x')]);
    await eventually(() => b.table.all.length === 1, { what: 'route' });
    b.proxy.cut();
    await a.cluster.routes.change([wants('g', 'x')]);
    await eventually(() => b.table.all.length === 2, { what: 'route after the cut' });
    assert.equal(b.table.resets, 1);
  });

  it('a log that lost its end in a failover is noticed', async () => {
    const redis = server.client();
    await a.cluster.routes.change([wants('kept', 'x'), wants('lost', 'x')]);
    await eventually(() => b.table.all.length === 2, { what: 'routes' });
    b.proxy.down();
    // what a replica knows that was promoted too early, and then another history
    await redis.del(keys.routeLog());
    await redis.hdel(keys.routes(), 'lost\0x');
    await redis.xadd(keys.routeLog(), '1-1', 'kept\0x', '+q1');
    await a.cluster.routes.change([wants('new', 'x')]);
    b.proxy.up();
    await eventually(() => b.table.all.join() === 'kept x q1,new x q1', { what: 'other history' });
    assert.equal(b.table.resets, 2);
  });

  it('entries that are none are passed over', async () => {
    const redis = server.client();
    await redis.xadd(keys.routeLog(), '1-*', 'no separator', '+x');
    await redis.xadd(keys.routeLog(), '1-*', 'f\0x', '', 'more', 'fields');
    await redis.xadd(keys.routeLog(), '1-*', 'f\0y', '');
    await redis.hset(keys.routes(), 'no separator', 'x');
    await a.cluster.routes.change([wants('f', 'z')]);
    assert.equal(await b.follow(), true);
    assert.deepEqual(b.table.all, ['f z q1']);
  });

  it('while Redis is away changes are refused as unavailable, and catching up waits', async () => {
    await server.kill();
    await assert.rejects(a.cluster.routes.change([wants('f', 'x')]), { code: 'store-unavailable' });
    await eventually(() => !a.link.isReady, { what: 'lost connection' });
    const caughtUp = a.cluster.routes.catchUp();
    await server.restart();
    await caughtUp;
    await a.link.patiently(() => a.cluster.routes.change([wants('f', 'x')]), 5_000);
    await eventually(async () => (await a.follow()) && a.table.all.length === 1, { what: 'route' });
  });

  it('the command that reads the log is encoded again only when there was news', async () => {
    const encoded = new Set<Encoded>();
    const look = async (): Promise<void> => {
      const batch = a.link.begin();
      const last = batch.last.bind(batch);
      batch.last = (command) => {
        encoded.add(command);
        return last(command);
      };
      const slot = a.cluster.routes.read(batch);
      await new Promise<void>((resolve) => {
        batch.commit(() => {
          a.cluster.routes.follow(batch, slot);
          resolve();
        });
      });
    };
    for (let turn = 0; turn < 10; turn++) await look();
    assert.equal(encoded.size, 1);
    await b.cluster.routes.change([wants('f', 'x')]);
    for (let turn = 0; turn < 10; turn++) await look();
    assert.ok(encoded.size <= 3);
  });
});
