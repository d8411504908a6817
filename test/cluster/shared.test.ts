import assert from 'node:assert/strict';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCluster, type TestCluster } from '../support/node.ts';
import { openPackets } from '../support/packets.ts';

describe('a shared subscription', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startCluster(3);
  });

  after(async () => {
    await cluster.stop();
  });

  for (const protocolVersion of [4, 5] as const) {
    for (const qos of [0, 1, 2] as const) {
      it(`gives each QoS ${qos} message to one member, in turn, wherever the members are (version ${protocolVersion})`, async () => {
        const name = `turn-${protocolVersion}-${qos}`;
        const members = await Promise.all(
          [0, 1, 2].map((i) => connectClient(cluster.node(i).url, { protocolVersion, clientId: `${name}-${i}`, clean: i < 2 })),
        );
        for (const member of members) await member.subscribe(`$share/${name}/jobs/${name}/+`, qos);
        const publisher = await connectClient(cluster.node(1).url);
        const texts = Array.from({ length: 300 }, (_, i) => String(i));
        await Promise.all(texts.map((text) => publisher.publish(`jobs/${name}/x`, text, { qos })));
        await eventually(() => members.reduce((sum, member) => sum + member.messages.length, 0) >= 300, { what: 'all messages' });
        const all = members.flatMap((member) => member.messages.map((m) => Number(m.text)));
        assert.deepEqual(all.sort((a, b) => a - b), texts.map(Number));
        assert.deepEqual(members.map((member) => member.messages.length), [100, 100, 100]);
        for (const client of [...members, publisher]) await client.end();
      });
    }
  }

  it('stands beside an ordinary subscription of the same client, which gets everything', async () => {
    const both = await connectClient(cluster.node(0).url);
    const other = await connectClient(cluster.node(1).url);
    await both.subscribe('both/x');
    await both.subscribe('$share/g/both/x');
    await other.subscribe('$share/g/both/x');
    const publisher = await connectClient(cluster.node(2).url);
    for (let i = 0; i < 10; i++) await publisher.publish('both/x', String(i));
    await both.received(15);
    await other.received(5);
    assert.equal(both.messages.length, 15);
    for (const client of [both, other, publisher]) await client.end();
  });

  it('prefers members that are connected, and keeps messages for a persistent one when none is', async () => {
    const persistent = { clientId: 'worker-kept', clean: false };
    const first = await connectClient(cluster.node(0).url, persistent);
    await first.subscribe('$share/kept/work');
    await first.end();
    const connected = await connectClient(cluster.node(1).url);
    await connected.subscribe('$share/kept/work');
    const publisher = await connectClient(cluster.node(2).url);
    for (let i = 0; i < 10; i++) await publisher.publish('work', `connected ${i}`);
    await connected.received(10);
    await connected.end();
    for (let i = 0; i < 10; i++) await publisher.publish('work', `nobody ${i}`);
    const back = await connectClient(cluster.node(2).url, persistent);
    // the first ones may have gone to the other member while it left, and come here from it, and once more: it is QoS 1
    const got = () => [...new Set(back.messages.map((m) => m.text))].sort();
    await eventually(() => got().length === 10, { what: () => `ten messages (there are ${got().join()})` });
    assert.deepEqual(got(), Array.from({ length: 10 }, (_, i) => `nobody ${i}`));
    await back.end();
    await publisher.end();
  });

  for (const clean of [true, false]) {
    it(`gives what a member had not acknowledged when it left to another one (${clean ? 'clean' : 'persistent'} session)`, async () => {
      const name = `left-${clean}`;
      const leaver = await openPackets(cluster.node(0).port);
      await leaver.connect({ clientId: name, clean });
      leaver.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `$share/g/${name}`, qos: 1 }] });
      await leaver.expect({ cmd: 'suback' });
      const publisher = await connectClient(cluster.node(2).url);
      for (let i = 0; i < 10; i++) await publisher.publish(name, String(i));
      for (let i = 0; i < 10; i++) {
        const { messageId } = await leaver.expect({ cmd: 'publish', payload: String(i) });
        if (i < 4) leaver.send({ cmd: 'puback', messageId: messageId! });
      }
      await leaver.expectQuiet();
      const other = await connectClient(cluster.node(1).url);
      await other.subscribe(`$share/g/${name}`);
      leaver.destroy();
      await other.received(6);
      assert.deepEqual(other.messages.map((m) => m.text), ['4', '5', '6', '7', '8', '9']);
      await other.end();
      await publisher.end();
    });
  }

  it('loses nothing when members come and go while messages flow', async () => {
    const publisher = await connectClient(cluster.node(2).url);
    const steady = await connectClient(cluster.node(1).url);
    await steady.subscribe('$share/churn/flow');
    const got = new Set<string>();
    let isDone = false;
    const churn = (async () => {
      for (let i = 0; !isDone; i++) {
        const member = await connectClient(cluster.node(i % 3).url);
        await member.subscribe('$share/churn/flow');
        await member.received(5);
        await member.end();
        for (const message of member.messages) got.add(message.text);
      }
    })();
    const texts = Array.from({ length: 2000 }, (_, i) => String(i));
    for (let i = 0; i < texts.length; i += 20) await Promise.all(texts.slice(i, i + 20).map((text) => publisher.publish('flow', text)));
    isDone = true;
    const missing = () => texts.filter((text) => !got.has(text) && !steady.messages.some((m) => m.text === text));
    const more = setInterval(() => void publisher.publish('flow', 'end of the churn'), 20);
    await churn;
    clearInterval(more);
    await eventually(() => missing().length === 0, { withinMs: 15_000, what: () => `messages ${missing().slice(0, 5).join()}` });
    for (const client of [publisher, steady]) await client.end();
  });

  it('gives what a member had not acknowledged when its node died to another one', async () => {
    const doomed = await cluster.join();
    const member = await openPackets(doomed.port);
    await member.connect({ clientId: 'doomed' });
    member.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/doom', qos: 1 }] });
    await member.expect({ cmd: 'suback' });
    const publisher = await connectClient(cluster.node(2).url);
    for (let i = 0; i < 5; i++) await publisher.publish('doom', String(i));
    for (let i = 0; i < 5; i++) await member.expect({ cmd: 'publish', payload: String(i) });
    const other = await connectClient(cluster.node(1).url);
    await other.subscribe('$share/g/doom');
    await doomed.kill();
    await other.received(5, 20_000);
    assert.deepEqual(other.messages.map((m) => m.text), ['0', '1', '2', '3', '4']);
    await other.end();
    await publisher.end();
  });
});
