import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestCluster } from '../support/node.ts';

/** What a node leaves behind that crashes between ending a session and removing its routes. */
describe('routes of a session that is no more', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startCluster(2, { set: { 'cluster.leaseMs': 600, 'cluster.renewMs': 100 } });
  });

  after(async () => {
    await cluster.stop();
  });

  it('are removed after messages found no queue, shared ones too; those of living sessions stay', async () => {
    const redis = cluster.redis!.client();
    const known = async (client: string): Promise<string[]> =>
      (await redis.hkeys('sq:{routes}:table')).filter((field) => field.endsWith(`\0s:${client}`)).map((field) => field.split('\0')[0]!).sort();
    for (const clientId of ['gone', 'stays']) {
      const client = await connectClient(cluster.node(0).url, { clientId, clean: false });
      await client.subscribe('stray/a', 1);
      await client.subscribe('stray/+', 1);
      await client.subscribe('$share/group/stray/#', 1);
      await client.end();
    }
    assert.deepEqual(await known('gone'), ['$share/group/stray/#', 'stray/+', 'stray/a']);
    await redis.del(...(await redis.keys('sq:s:{gone}*')));

    const publisher = await connectClient(cluster.node(1).url);
    await publisher.publish('stray/a', '1');
    await eventually(async () => (await known('gone')).length === 0, { withinMs: 30_000, what: 'removal of the routes' });
    assert.deepEqual(await known('stays'), ['$share/group/stray/#', 'stray/+', 'stray/a']);
    const stays = await connectClient(cluster.node(0).url, { clientId: 'stays', clean: false });
    await publisher.publish('stray/a', '2');
    await stays.received(2, 10_000);
    for (const client of [stays, publisher]) await client.end();
  });

  it('stay when the client has come back meanwhile', async () => {
    const redis = cluster.redis!.client();
    const options = { clientId: 'back', clean: false };
    const before = await connectClient(cluster.node(0).url, options);
    await before.subscribe('back/old', 1);
    await before.subscribe('back/again', 1);
    await before.end();
    await redis.del(...(await redis.keys('sq:s:{back}*')));
    const publisher = await connectClient(cluster.node(1).url);
    await publisher.publish('back/again', 'for nobody');
    const again = await connectClient(cluster.node(0).url, options);
    assert.equal(again.sessionPresent, false);
    await again.subscribe('back/again', 1);
    await eventually(async () => (await redis.hexists('sq:{routes}:table', 'back/old\0s:back')) === 0, { withinMs: 30_000, what: 'removal of the old route' });
    await publisher.publish('back/again', 'heard');
    await again.received(1, 10_000);
    assert.deepEqual(again.messages.map(({ text }) => text), ['heard']);
    for (const client of [again, publisher]) await client.end();
  });
});
