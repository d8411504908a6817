import assert from 'node:assert/strict';
import type { IConnectPacket } from 'mqtt-packet';
import { startCluster, type TestCluster } from '../support/node.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';

describe('clients that a draining node sends away', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  beforeEach(async () => {
    cluster = await startCluster(2, { set: { 'drain.graceMs': 0 } });
  });

  afterEach(async () => {
    await cluster.stop();
  });

  async function connected(node: number, clientId: string, packet: Partial<IConnectPacket> = {}): Promise<{ client: PacketClient; isPresent: boolean }> {
    const client = await openPackets(cluster.node(node).port, 5);
    const { sessionPresent } = await client.connect({ clientId, clean: false, ...packet });
    return { client, isPresent: sessionPresent };
  }

  const leaving = (expirySeconds: number): Partial<IConnectPacket> => ({
    will: { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false },
    properties: { sessionExpiryInterval: expirySeconds },
  });

  it('have a while to come back before their wills are published; a session that ends with its connection has ended', async () => {
    const watcher = await connected(1, 'watcher');
    watcher.client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'will', qos: 0 }] });
    await watcher.client.expect({ cmd: 'suback' });
    for (const [clientId, expirySeconds] of [['ends', 0], ['goes-on', 60], ['stays-away', 0]] as const) await connected(0, clientId, leaving(expirySeconds));
    await cluster.node(0).stop();

    assert.equal((await connected(1, 'ends')).isPresent, false);
    assert.equal((await connected(1, 'goes-on', { properties: { sessionExpiryInterval: 60 } })).isPresent, true);
    await watcher.client.expectQuiet();
    const redis = cluster.redis!.client();
    const wills = await Promise.all(['ends', 'goes-on', 'stays-away'].map((id) => redis.hexists(`sq:s:{${id}}`, 'will')));
    assert.deepEqual(wills, [0, 0, 1]);
    const dueInMs = Number(await redis.zscore('sq:due:wills', 'stays-away')) - Date.now();
    assert.ok(dueInMs > 0 && dueInMs <= 15_000, `the will that is left is due in ${dueInMs} ms`);
    // its time has come
    await redis.zadd('sq:due:wills', 1, 'stays-away');
    await watcher.client.expect({ cmd: 'publish', topic: 'will', payload: 'gone' });
    await watcher.client.expectQuiet();
  });
});
