import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { startCluster, type TestCluster } from '../support/node.ts';

for (const whenFull of ['drop-oldest', 'drop-newest'] as const) {
  describe(`a member of a shared subscription whose queue is full (${whenFull})`, function () {
    this.timeout(60_000);
    let cluster: TestCluster;

    before(async () => {
      cluster = await startCluster(2, { set: { 'queue.maxMessages': 20, 'queue.whenFull': whenFull } });
    });

    after(async () => {
      await cluster.stop();
    });

    it('is passed over for one with room, and gets its share again when it has room', async () => {
      const members = ['full', 'roomy'].map((clientId) => ({ clientId, clean: false }));
      for (const [i, options] of members.entries()) {
        const member = await connectClient(cluster.node(i).url, options);
        await member.subscribe('$share/group/work', 1);
        await member.subscribe(`own/${options.clientId}`, 1);
        await member.end();
      }
      const publisher = await connectClient(cluster.node(0).url);
      for (let i = 1; i <= 20; i++) await publisher.publish('own/full', `own ${i}`);
      // the number of the one tells that the limit is passed; with the commit of the other it is looked at
      for (const text of ['own, one too many', 'own, two too many']) await publisher.publish('own/full', text);
      for (let i = 1; i <= 10; i++) await publisher.publish('work', `work ${i}`);
      const roomy = await connectClient(cluster.node(1).url, members[1]);
      await roomy.received(10, 10_000);
      assert.deepEqual(roomy.messages.map(({ text }) => text), Array.from({ length: 10 }, (_, i) => `work ${i + 1}`));
      await roomy.end();

      const full = await connectClient(cluster.node(0).url, members[0]);
      await full.received(20, 10_000);
      assert.ok(full.messages.every(({ text }) => text.startsWith('own')));
      // connected as it is, it is the one of the two that is asked
      await publisher.publish('work', 'again');
      await full.received(21, 10_000);
      assert.equal(full.messages.at(-1)?.text, 'again');
      for (const client of [full, publisher]) await client.end();
    });
  });
}
