import assert from 'node:assert/strict';
import { connectClient, type Client } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestCluster } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';

type Strategy = 'round-robin' | 'random' | 'local-first' | 'sticky-publisher' | 'sticky-topic';

/** A suite on two nodes that choose members by this strategy. */
function withStrategy(strategy: Strategy, body: (cluster: () => TestCluster) => void): void {
  describe(`shared.strategy ${strategy}, members on two nodes`, function () {
    this.timeout(60_000);
    let cluster: TestCluster;

    before(async () => {
      cluster = await startCluster(2, { set: { 'shared.strategy': strategy } });
    });

    after(async () => {
      await cluster.stop();
    });

    body(() => cluster);
    standsByItsMembers(strategy, () => cluster);
  });
}

interface Group {
  /** the first two on node A, the third on node B; versions 3.1.1 and 5 among them */
  readonly members: readonly Client[];
  readonly end: (...others: Client[]) => Promise<void>;
}

/** Each node has read who wants what until now: it does so before it acknowledges. QoS 0 is not waited for otherwise. */
async function settled(cluster: TestCluster): Promise<void> {
  for (const { url } of cluster.nodes) {
    const client = await connectClient(url);
    await client.publish('settled', 'x');
    await client.end();
  }
}

async function group(cluster: TestCluster, name: string, filter: string, qos: 0 | 1 | 2): Promise<Group> {
  const places = [[0, 4], [0, 5], [1, 4]] as const;
  const members = await Promise.all(
    places.map(([node, protocolVersion], i) => connectClient(cluster.node(node).url, { protocolVersion, clientId: `${name}-member-${i}` })),
  );
  for (const member of members) await member.subscribe(`$share/${name}/${filter}`, qos);
  await settled(cluster);
  return {
    members,
    end: async (...others) => {
      for (const client of [...members, ...others]) await client.end();
    },
  };
}

/** Waits until all texts have come, each to one member, and gives the member that each went to. */
async function placed(members: readonly Client[], texts: readonly string[]): Promise<number[]> {
  const count = (): number => members.reduce((sum, { messages }) => sum + messages.length, 0);
  await eventually(() => count() >= texts.length, { what: () => `${texts.length} messages (${count()} came)` });
  const all = members.flatMap(({ messages }, i) => messages.map(({ text }) => [text, i] as const));
  assert.deepEqual(all.map(([text]) => text).sort(), [...texts].sort());
  const place = new Map(all);
  return texts.map((text) => place.get(text)!);
}

/** Members that are connected come first, and what a member did not acknowledge goes to another one: by any strategy. */
function standsByItsMembers(strategy: Strategy, cluster: () => TestCluster): void {
  for (const protocolVersion of [4, 5] as const) {
    it(`prefers members that are connected, wherever they are (version ${protocolVersion})`, async () => {
      const name = `online-${strategy}-${protocolVersion}`;
      const away = await connectClient(cluster().node(0).url, {
        protocolVersion,
        clientId: `${name}-away`,
        clean: false,
        ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
      });
      await away.subscribe(`$share/${name}/${name}/+`);
      await away.end();
      const there = await connectClient(cluster().node(1).url, { protocolVersion, clientId: `${name}-there` });
      await there.subscribe(`$share/${name}/${name}/+`);
      const publishers = await Promise.all([0, 1].map((i) => connectClient(cluster().node(i).url, { clientId: `${name}-publisher-${i}` })));
      const texts = Array.from({ length: 40 }, (_, i) => String(i));
      for (const [i, text] of texts.entries()) await publishers[i % 2]!.publish(`${name}/${i % 7}`, text);
      await there.received(40);
      assert.deepEqual(there.messages.map(({ text }) => text).sort(), [...texts].sort());
      for (const client of [there, ...publishers]) await client.end();
    });

    it(`gives what a member that left had not acknowledged to another one (version ${protocolVersion})`, async () => {
      const name = `left-${strategy}-${protocolVersion}`;
      const leaver = await openPackets(cluster().node(0).port, protocolVersion);
      await leaver.connect({ clientId: `${name}-leaver` });
      leaver.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `$share/${name}/${name}/+`, qos: 1 }] });
      await leaver.expect({ cmd: 'suback' });
      const publisher = await connectClient(cluster().node(1).url);
      for (let i = 0; i < 10; i++) await publisher.publish(`${name}/${i}`, String(i));
      for (let i = 0; i < 10; i++) {
        const { messageId } = await leaver.expect({ cmd: 'publish', payload: String(i) });
        if (i < 3) leaver.send({ cmd: 'puback', messageId: messageId! });
      }
      await leaver.expectQuiet();
      const other = await connectClient(cluster().node(1).url, { protocolVersion });
      await other.subscribe(`$share/${name}/${name}/+`);
      leaver.destroy();
      await other.received(7);
      assert.deepEqual(other.messages.map(({ text }) => text), ['3', '4', '5', '6', '7', '8', '9']);
      for (const client of [other, publisher]) await client.end();
    });
  }
}

withStrategy('round-robin', (cluster) => {
  for (const qos of [0, 1, 2] as const) {
    it(`gives to one after the other, QoS ${qos}`, async () => {
      const name = `turns-${qos}`;
      const { members, end } = await group(cluster(), name, `${name}/#`, qos);
      const publisher = await connectClient(cluster().node(1).url);
      const texts = Array.from({ length: 30 }, (_, i) => String(i));
      for (const text of texts) await publisher.publish(`${name}/x`, text, { qos });
      const places = await placed(members, texts);
      const turn = places.slice(0, 3);
      assert.equal(new Set(turn).size, 3);
      assert.deepEqual(places, texts.map((_, i) => turn[i % 3]));
      await end(publisher);
    });
  }
});

withStrategy('random', (cluster) => {
  for (const qos of [0, 1] as const) {
    it(`gives each about its share, in no fixed order, QoS ${qos}`, async () => {
      const name = `random-${qos}`;
      const { members, end } = await group(cluster(), name, `${name}/#`, qos);
      const publisher = await connectClient(cluster().node(0).url);
      const texts = Array.from({ length: 600 }, (_, i) => String(i));
      await Promise.all(texts.map((text) => publisher.publish(`${name}/x`, text, { qos })));
      const places = await placed(members, texts);
      // seven times the deviation to be expected
      for (const i of [0, 1, 2]) assert.ok(Math.abs(places.filter((place) => place === i).length - 200) < 81);
      assert.ok(places.some((place, i) => place === places[i + 1]), 'a member twice in a row');
      await end(publisher);
    });
  }
});

withStrategy('local-first', (cluster) => {
  for (const qos of [0, 1, 2] as const) {
    it(`gives to members of the publisher's node in turn, and to others when there is none, QoS ${qos}`, async () => {
      const name = `local-${qos}`;
      const { members, end } = await group(cluster(), name, `${name}/#`, qos);
      const [atA, atB] = await Promise.all([0, 1].map((i) => connectClient(cluster().node(i).url))) as [Client, Client];
      const texts = (of: string): string[] => Array.from({ length: 10 }, (_, i) => `${of} ${i}`);
      for (const text of texts('a')) await atA.publish(`${name}/x`, text, { qos });
      for (const text of texts('b')) await atB.publish(`${name}/x`, text, { qos });
      const places = await placed(members, [...texts('a'), ...texts('b')]);
      assert.deepEqual(places.slice(10), new Array(10).fill(2));
      assert.deepEqual([0, 1, 2].map((i) => places.slice(0, 10).filter((place) => place === i).length), [5, 5, 0]);
      await members[2]!.unsubscribe(`$share/${name}/${name}/#`);
      await settled(cluster());
      for (const text of texts('c')) await atB.publish(`${name}/x`, text, { qos });
      const later = await placed(members, [...texts('a'), ...texts('b'), ...texts('c')]);
      assert.deepEqual([0, 1, 2].map((i) => later.slice(20).filter((place) => place === i).length), [5, 5, 0]);
      await end(atA, atB);
    });
  }
});

withStrategy('sticky-publisher', (cluster) => {
  for (const qos of [0, 1] as const) {
    it(`gives all messages of a publisher to one member, from whichever node it sends them, QoS ${qos}`, async () => {
      const name = `publisher-${qos}`;
      const { members, end } = await group(cluster(), name, `${name}/#`, qos);
      const texts: string[] = [];
      for (const node of [0, 1]) {
        for (let i = 0; i < 12; i++) {
          const publisher = await connectClient(cluster().node(node).url, { clientId: `${name}-${i}` });
          for (const topic of ['x', 'y']) {
            texts.push(`${i} from ${node} to ${topic}`);
            await publisher.publish(`${name}/${topic}`, texts.at(-1)!, { qos });
          }
          await publisher.end();
        }
      }
      const places = await placed(members, texts);
      const ofEach = Array.from({ length: 12 }, (_, i) => new Set(places.filter((_, at) => texts[at]!.startsWith(`${i} `))));
      assert.deepEqual(ofEach.map(({ size }) => size), new Array(12).fill(1));
      assert.equal(new Set(places).size, 3, 'every member has publishers');
      await end();
    });
  }
});

withStrategy('sticky-topic', (cluster) => {
  for (const qos of [0, 1] as const) {
    it(`gives all messages of a topic to one member, whoever sends them, and moves only those of a member that leaves, QoS ${qos}`, async () => {
      const name = `topic-${qos}`;
      const { members, end } = await group(cluster(), name, `${name}/#`, qos);
      const publishers = await Promise.all([0, 1].map((i) => connectClient(cluster().node(i).url)));
      const topics = Array.from({ length: 24 }, (_, i) => `${name}/${i}`);
      const texts: string[] = [];
      const round = async (number: number): Promise<number[]> => {
        for (const topic of topics) {
          for (const [i, publisher] of publishers.entries()) {
            texts.push(`${number} ${topic} from ${i}`);
            await publisher.publish(topic, texts.at(-1)!, { qos });
          }
        }
        const places = (await placed(members, texts)).slice(-2 * topics.length);
        return topics.map((_, i) => {
          assert.equal(places[2 * i], places[2 * i + 1], 'the same member from either node');
          return places[2 * i]!;
        });
      };
      const before = await round(1);
      assert.equal(new Set(before).size, 3, 'every member has topics');
      await members[1]!.unsubscribe(`$share/${name}/${name}/#`);
      await settled(cluster());
      const after = await round(2);
      assert.equal(after.includes(1), false);
      for (const [i, place] of before.entries()) if (place !== 1) assert.equal(after[i], place);
      await end(...publishers);
    });
  }
});
