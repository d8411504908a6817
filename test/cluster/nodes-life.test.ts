import assert from 'node:assert/strict';
import { Keys } from '../../src/redis/keys.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { join, leaseMs, prepare, settled } from './joined.ts';

const keys = new Keys('sq:');

describe('nodes: joining, leaving, and the lease', () => {
  let server: RedisServer;

  beforeEach(async () => {
    server = await startRedis();
  });

  it('three nodes see each other, with what they told of themselves', async () => {
    const a = await prepare(server, 'a', { facts: { release: '1.2.3', address: 'mqtt://a' } });
    await a.cluster.start(a.handlers);
    const b = await join(server, 'b');
    const c = await join(server, 'c');
    await settled(a, b, c);
    const seen = b.cluster.members().find((m) => m.node === 'a');
    assert.deepEqual(seen?.facts, { release: '1.2.3', address: 'mqtt://a' });
    assert.equal(await b.metric('swarmq_members'), 3);
  });

  it('every start is a new incarnation, of the same name too', async () => {
    const first = await join(server, 'a');
    const second = await join(server, 'a');
    assert.deepEqual([first.incarnation, second.incarnation], ['a#1', 'a#2']);
  });

  it('a node that leaves leaves nothing behind, and nobody buries it', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    await settled(a, b);
    await a.cluster.serve('one');
    a.cluster.unserve('one');
    await a.cluster.leave();
    await settled(b);
    const redis = server.client();
    const left = (await redis.keys('*')).filter((key) => key.includes('a#'));
    assert.deepEqual(left, []);
    assert.deepEqual(await redis.hkeys(keys.members()), [b.incarnation]);
    assert.deepEqual(b.events, []);
  });

  it('a node that leaves with clients is buried by the others', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    await settled(a, b);
    const { incarnation } = a;
    await a.cluster.serve('one');
    await a.cluster.leave();
    await eventually(() => b.events.includes(`bury routes ${incarnation}`), { what: 'burial' });
    assert.deepEqual(b.events, [`bury ${incarnation} one`, `bury routes ${incarnation}`]);
  });

  it('a node is certain after start, and follows the time of Redis', async () => {
    const a = await join(server, 'a');
    assert.equal(a.cluster.isCertain, true);
    await a.cluster.whenCertain();
    await eventually(async () => (await a.metric('swarmq_lease_renew_ms')) > 0, { what: 'renewal' });
    assert.ok(Math.abs(a.clock.offsetMs) < 500);
  });

  it('time alone ends certainty, and a renewal brings it back', async () => {
    const a = await join(server, 'a');
    a.clock.jump(leaseMs);
    assert.equal(a.cluster.isCertain, false);
    await a.cluster.whenCertain();
    assert.equal(a.cluster.isCertain, true);
    assert.deepEqual(a.events, []);
  });

  it('certainty ends before the lease does in Redis', async () => {
    const a = await join(server, 'a');
    const redis = server.client();
    a.proxy.freeze();
    await eventually(() => !a.cluster.isCertain, { what: 'doubt' });
    assert.equal(await redis.get(keys.lease(a.incarnation)), 'alive');
    a.proxy.thaw();
    await a.cluster.whenCertain();
  });

  it('a lease that ran out is set again when nobody buried the node', async () => {
    const a = await join(server, 'a');
    const redis = server.client();
    const { incarnation } = a;
    a.proxy.down();
    await eventually(async () => (await redis.exists(keys.lease(incarnation))) === 0, { what: 'end of the lease' });
    assert.equal(a.cluster.isCertain, false);
    a.proxy.up();
    await a.cluster.whenCertain();
    assert.equal(await redis.get(keys.lease(incarnation)), 'alive');
    assert.deepEqual(a.events, []);
    assert.equal(a.incarnation, incarnation);
  });

  it('a node cut off for long is buried by another, is fenced when it comes back, and begins a new life', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    await settled(a, b);
    const dead = a.incarnation;
    a.proxy.down();
    await eventually(() => b.events.includes(`bury routes ${dead}`), { what: 'burial' });
    assert.equal(a.cluster.isCertain, false);
    a.proxy.up();
    await a.cluster.whenCertain();
    assert.notEqual(a.incarnation, dead);
    assert.deepEqual(a.events, ['fenced', `reborn ${a.incarnation}`]);
    assert.equal(await a.metric('swarmq_fenced_total'), 1);
    await settled(a, b);
    await b.send(a.incarnation, 'hello');
    await eventually(() => a.frames.length === 1, { what: 'frame in the new inbox' });
    b.cluster.tell(a.incarnation, 'word', 1);
    await eventually(() => a.events.includes('word 1'), { what: 'word on the new channel' });
  });

  it('nothing is certain until the new life is set up', async () => {
    let goOn = (): void => undefined;
    const a = await prepare(server, 'a');
    a.handlers.reborn = () => new Promise((resolve) => (goOn = resolve));
    await a.cluster.start(a.handlers);
    const redis = server.client();
    const former = a.incarnation;
    await redis.set(keys.lease(former), 'buried');
    a.clock.jump(leaseMs);
    let isCertain = false;
    void a.cluster.whenCertain().then(() => (isCertain = true));
    await eventually(async () => a.incarnation !== former && (await redis.get(keys.lease(a.incarnation))) === 'alive', { what: 'new life' });
    await eventually(() => a.events.length > 0, { what: 'fence' });
    assert.equal(a.cluster.isCertain || isCertain, false);
    goOn();
    await eventually(() => isCertain && a.cluster.isCertain, { what: 'certainty' });
  });

  it('a rebirth that fails is tried again', async () => {
    const a = await prepare(server, 'a');
    let attempts = 0;
    a.handlers.reborn = () => (++attempts < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve());
    await a.cluster.start(a.handlers);
    await server.client().set(keys.lease(a.incarnation), 'buried');
    a.clock.jump(leaseMs);
    await a.cluster.whenCertain();
    assert.equal(attempts, 3);
    assert.equal(a.incarnation, 'a#2');
  });

  it('a node that is not listed any more is fenced: Redis lost its memory', async () => {
    const a = await join(server, 'a');
    await server.client().flushall();
    await eventually(() => a.events.includes('fenced'), { what: 'fence' });
    await a.cluster.whenCertain();
    await settled(a);
  });

  it('a life that is being buried can serve nobody', async () => {
    const a = await join(server, 'a');
    const redis = server.client();
    await redis.set(keys.lease(a.incarnation), 'buried');
    await assert.rejects(a.cluster.serve('one'), { code: 'fenced' });
    assert.equal(await redis.exists(keys.served(a.incarnation)), 0);
  });

  it('a client that left and came back is still noted as served', async () => {
    const a = await join(server, 'a');
    const redis = server.client();
    for (let round = 0; round < 50; round++) {
      await a.cluster.serve('one');
      a.cluster.unserve('one');
      a.cluster.unserve('two');
    }
    await a.cluster.serve('one');
    await a.cluster.serve('two');
    a.cluster.unserve('two');
    await eventually(async () => (await redis.scard(keys.served(a.incarnation))) === 1, { what: 'removal of the one that left' });
    assert.deepEqual(await redis.smembers(keys.served(a.incarnation)), ['one']);
  });

  it('a word reaches one node or all; garbage on the channel harms nobody', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    const redis = server.client();
    await eventually(async () => (await redis.pubsub('CHANNELS')).length === 3, { what: 'subscriptions' });
    for (const channel of await redis.pubsub('CHANNELS')) {
      await redis.publish(channel as string, 'no message at all');
      await redis.publish(channel as string, Buffer.of(5));
      await redis.publish(channel as string, Buffer.of(0xc1, 0xff, 0xff));
    }
    a.cluster.tell(b.incarnation, 'kick', { client: 'one' });
    a.cluster.tell(null, 'reload', null);
    await eventually(() => b.events.length === 2 && a.events.length === 1, { what: 'words' });
    assert.deepEqual(b.events, ['kick {"client":"one"}', 'reload null']);
    assert.deepEqual(a.events, ['reload null']);
  });

  it('the control bus comes back by itself', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    a.proxy.cut();
    b.proxy.cut();
    await eventually(
      () => {
        a.cluster.tell(b.incarnation, 'word', null);
        return b.events.includes('word null');
      },
      { what: 'word after the cut' },
    );
  });

  it('a role has one holder; its token grows with every new one', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    const first = await a.cluster.roles.hold('janitor', leaseMs);
    assert.equal(await b.cluster.roles.hold('janitor', leaseMs), null);
    assert.equal(await a.cluster.roles.hold('janitor', leaseMs), first);
    await a.cluster.roles.resign('janitor', first!);
    const second = await b.cluster.roles.hold('janitor', 50);
    assert.ok(second! > first!);
    const third = await eventually(() => a.cluster.roles.hold('janitor', leaseMs), { what: 'role after its lease' });
    assert.ok(third > second!);
    await b.cluster.roles.resign('janitor', second!);
    assert.equal(await b.cluster.roles.hold('janitor', leaseMs), null);
  });

  it('a retired node gives its roles up and takes none', async () => {
    const a = await join(server, 'a');
    const b = await join(server, 'b');
    await a.cluster.roles.hold('janitor', 60_000);
    await a.cluster.retire();
    assert.equal(await a.cluster.roles.hold('janitor', leaseMs), null);
    assert.notEqual(await b.cluster.roles.hold('janitor', leaseMs), null);
    assert.equal(a.cluster.isCertain, true);
  });
});
