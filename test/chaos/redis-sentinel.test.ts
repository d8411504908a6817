import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { startCluster } from '../support/node.ts';
import type { RedisServer } from '../support/redis.ts';
import { startSentinel } from '../support/sentinel.ts';
import type { Device } from './device.ts';
import { Load, quickLease } from './load.ts';
import { notReady, readyAgain } from './operator.ts';

/** For so long a replica hangs before its primary dies: less than what a Sentinel notices. */
const lagMs = 600;
/** Acknowledgements on their way when the replica is stopped and when the primary is killed. */
const inFlight = 100;

/** P1, P5, P10: the primary of Redis dies, and Sentinel makes a replica the next one. */
describe('failover by Sentinel under load', function () {
  this.timeout(120_000);

  it('with commit.waitReplicas: acknowledgements wait for the replica, and nothing acknowledged is lost', async () => {
    const group = await startSentinel({ replicas: 1 });
    const cluster = await startCluster(2, { redis: group.url, set: { ...quickLease, 'commit.waitReplicas': 1, 'commit.waitTimeoutMs': 200 } });
    const load = new Load(cluster.nodes);
    await load.start();
    const sleeper = asleep(load);

    // what the primary takes while its replica hangs is acknowledged to nobody
    const primary = await group.primary();
    const replica = group.servers.find((server) => server !== primary)!;
    await cutOff(replica, primary);
    await pause(100);
    const { acknowledged } = load;
    await pause(lagMs);
    assert.equal(load.acknowledged, acknowledged, 'acknowledgements wait');
    await primary.kill();
    replica.resume();
    await group.followed(primary);

    // the new primary has no replica yet
    await notReady(cluster.nodes, /NOREPLICAS 0 of 1 replicas/, 20_000);
    await rejoin(primary, replica);
    await readyAgain(cluster.nodes, 20_000);
    await load.flows();

    // a primary that is told to step back refuses what it is told then: that counts for nothing
    await group.settled();
    await group.failover();
    await load.flows();
    sleeper.comeBack();
    // a message on its way when the primary died was seen by subscribers before the replica had it: it is sent again
    await load.judge(20_000, true);
    await cluster.stop();
    await group.stop();
  });

  it('without it nodes go on at the new primary; only what the replica had not got yet is lost', async () => {
    const group = await startSentinel({ replicas: 1 });
    const cluster = await startCluster(2, { redis: group.url, set: quickLease });
    const load = new Load(cluster.nodes);
    await load.start();
    const sleeper = asleep(load);

    const primary = await group.primary();
    const replica = group.servers.find((server) => server !== primary)!;
    await cutOff(replica, primary);
    const { acknowledged } = load;
    await pause(lagMs);
    const risked = load.acknowledged - acknowledged;
    assert.ok(risked > 0, 'without waitReplicas a replica that hangs holds nobody up');
    await primary.kill();
    replica.resume();
    await group.followed(primary);
    await load.flows();
    sleeper.comeBack();

    await Promise.all(load.publishers.map((publisher) => publisher.settle()));
    let gone = Infinity;
    await eventually(() => (gone = lostMessages(load)) <= risked + inFlight, {
      withinMs: 20_000,
      what: () => `arrival of all but ${risked + inFlight} messages (${gone} are missing, ${risked} were acknowledged while the replica hung)`,
    });
    const { disordered, foreign } = load.ledger.verdict();
    assert.deepEqual({ disordered, foreign }, { disordered: [], foreign: [] });
    await cluster.stop();
    await group.stop();
  });
});

/** The replica hangs, and the primary sends it nothing any more that the kernel could keep for it. */
async function cutOff(replica: RedisServer, primary: RedisServer): Promise<void> {
  replica.pause();
  await primary.client().client('KILL', 'TYPE', 'REPLICA');
}

/** One who is away: what is for it is in Redis only. */
function asleep({ subscribers }: Load): Device {
  const sleeper = subscribers[0]!;
  sleeper.rest();
  sleeper.cut();
  return sleeper;
}

/** Acknowledged messages that somebody did not get. */
function lostMessages({ ledger }: Load): number {
  return new Set(ledger.verdict().lost.map(({ publisher, topic, seq }) => `${publisher} ${topic} ${seq}`)).size;
}

/** The old primary comes back as a replica: Sentinel would do it too, some seconds later. */
async function rejoin(server: RedisServer, primary: RedisServer): Promise<void> {
  await server.restart();
  await server.client().replicaof('127.0.0.1', primary.port);
}
