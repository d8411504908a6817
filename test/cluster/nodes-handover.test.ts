import assert from 'node:assert/strict';
import { Keys } from '../../src/redis/keys.ts';
import { eventually, within } from '../support/eventually.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { join, leaseMs, type Joined } from './joined.ts';

const keys = new Keys('sq:');
/** Less than a lease, with room for a busy machine: nobody waited for the lease. */
const soonMs = leaseMs * 0.75;

describe('nodes: a session changes hands', () => {
  let server: RedisServer;
  let b: Joined;

  beforeEach(async () => {
    server = await startRedis();
    b = await join(server, 'b');
  });

  /** What a claim leaves behind: the session's former owner, who has not let go. */
  async function claimedFrom(former: string, clientId = 'one'): Promise<void> {
    await server.client().hset(keys.session(clientId), 'former', former);
  }

  async function released(clientId = 'one'): Promise<void> {
    await server.client().hdel(keys.session(clientId), 'former');
  }

  it('a living former owner is asked, lets go, and is not waited for any longer', async () => {
    const asked: string[] = [];
    const a = await join(server, 'a', {
      letGo: async (clientId, epoch) => {
        asked.push(`${clientId} ${epoch}`);
        await released(clientId);
      },
    });
    await claimedFrom(a.incarnation, 'one {ü}');
    await within(b.cluster.handover.takeFrom(a.incarnation, 'one {ü}', 7), soonMs);
    assert.deepEqual(asked, ['one {ü} 7']);
  });

  it('a slow former owner is waited for, and asked to let go once', async () => {
    let calls = 0;
    let goOn = (): void => undefined;
    const a = await join(server, 'a', {
      letGo: async () => {
        calls++;
        await new Promise<void>((resolve) => (goOn = resolve));
        await released();
      },
    });
    await claimedFrom(a.incarnation);
    let isTaken = false;
    const taken = b.cluster.handover.takeFrom(a.incarnation, 'one', 2).then(() => (isTaken = true));
    await eventually(() => calls > 0, { what: 'word at the former owner' });
    const since = performance.now();
    await eventually(() => performance.now() - since > 600, { what: 'time for the word to be repeated' });
    assert.equal(isTaken, false);
    assert.equal(calls, 1);
    goOn();
    await within(taken, soonMs);
  });

  it('a word that was lost is said again', async () => {
    const a = await join(server, 'a', { letGo: () => released() });
    await claimedFrom(a.incarnation);
    const heard = a.handlers.letGo;
    let calls = 0;
    a.handlers.letGo = (clientId, epoch) => (++calls === 1 ? Promise.reject(new Error('as if not heard')) : heard(clientId, epoch));
    await within(b.cluster.handover.takeFrom(a.incarnation, 'one', 2), leaseMs);
    assert.equal(calls, 2);
  });

  it('a former owner that let go before is not waited for', async () => {
    const a = await join(server, 'a');
    await within(b.cluster.handover.takeFrom(a.incarnation, 'one', 2), soonMs);
    assert.deepEqual(a.events, []);
  });

  it('a claim that a later one has made pointless waits for nobody', async () => {
    const a = await join(server, 'a');
    await claimedFrom(a.incarnation);
    await server.client().hset(keys.session('one'), 'epoch', 3);
    await within(b.cluster.handover.takeFrom(a.incarnation, 'one', 2), soonMs);
    assert.deepEqual(a.events, []);
  });

  it('a dead life is not waited for', async () => {
    await claimedFrom('gone#99');
    await within(b.cluster.handover.takeFrom('gone#99', 'one', 2), soonMs);
  });

  it('a node that was killed is not waited for until its lease ends', async () => {
    const a = await join(server, 'a');
    await claimedFrom(a.incarnation);
    const { incarnation } = a;
    await eventually(async () => (await server.client().pubsub('CHANNELS', '*a*%0023*')).length === 1, { what: 'listening node' });
    await a.kill();
    await within(b.cluster.handover.takeFrom(incarnation, 'one', 2), soonMs);
    assert.equal(await b.cluster.handover.isAlive(incarnation), true);
  });

  it('a former owner that lives and does not let go holds nobody back for longer than a lease', async () => {
    const a = await join(server, 'a');
    await claimedFrom(a.incarnation);
    const began = performance.now();
    await within(b.cluster.handover.takeFrom(a.incarnation, 'one', 2), leaseMs * 2);
    assert.ok(performance.now() - began >= leaseMs);
    assert.ok(a.events.length >= 1);
  });

  it('the former owner may be this node itself', async () => {
    b.handlers.letGo = () => released();
    await claimedFrom(b.incarnation);
    await within(b.cluster.handover.takeFrom(b.incarnation, 'one', 2), soonMs);
  });

  it('a thousand sessions change hands at once', async () => {
    const redis = server.client();
    const a = await join(server, 'a', {
      letGo: async (clientId) => {
        await redis.hdel(keys.session(clientId), 'former');
      },
    });
    const clients = Array.from({ length: 1000 }, (_, i) => `client-${i}`);
    await Promise.all(clients.map((id) => redis.hset(keys.session(id), 'former', a.incarnation)));
    await within(Promise.all(clients.map((id) => b.cluster.handover.takeFrom(a.incarnation, id, 2))), 5_000);
  });

  it('words about handovers that make no sense are passed over', async () => {
    const a = await join(server, 'a');
    for (const body of [null, 1, 'x', {}, { clientId: 'one' }, { clientId: 1, epoch: 1 }, { clientId: 'one', epoch: 1.5 }]) {
      b.cluster.tell(a.incarnation, 'let-go', body);
      b.cluster.tell(a.incarnation, 'let-gone', body);
    }
    b.cluster.tell(a.incarnation, 'after', null);
    await eventually(() => a.events.length > 0, { what: 'last word' });
    assert.deepEqual(a.events, ['after null']);
  });

  it('alive means: has its lease in Redis', async () => {
    const a = await join(server, 'a');
    assert.equal(await b.cluster.handover.isAlive(a.incarnation), true);
    await server.client().set(keys.lease(a.incarnation), 'buried');
    assert.equal(await b.cluster.handover.isAlive(a.incarnation), false);
    assert.equal(await b.cluster.handover.isAlive('never#1'), false);
  });
});
