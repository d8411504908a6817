import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import type { LogLine } from '../support/node.ts';
import type { PacketClient, ProtocolVersion } from '../support/packets.ts';
import { closedBy, counted, enter, forEachStore, forEachVersion, lasting, leave, message, send, subscribe, take, type Place } from './conversation.ts';

const dropped = 'swarmq_messages_dropped_total';
const texts = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

/** A subscriber that takes `window` messages and acknowledges nothing by itself. */
async function reader(place: Place, version: ProtocolVersion, clientId: string, window: number): Promise<PacketClient> {
  const packet = { ...lasting(version), clientId };
  // MQTT 3 cannot say it: `mqtt.maxInflight` is the same number
  if (version === 5) packet.properties = { ...packet.properties, receiveMaximum: window };
  return enter(place, version, packet);
}

async function publish(place: Place, topic: string, payloads: readonly string[]): Promise<void> {
  const publisher = await enter(place, 5);
  for (const payload of payloads) await send(publisher, message(topic, payload, 1));
  await leave(publisher);
}

/** The next `count` messages, each acknowledged; nothing comes after them. */
async function drain(client: PacketClient, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const packet = await client.next();
    assert.ok(packet.cmd === 'publish');
    taken.push(packet.payload.toString());
    client.send({ cmd: 'puback', messageId: packet.messageId! });
  }
  await client.expectQuiet();
  return taken;
}

const limits = { 'queue.maxMessages': 20, 'mqtt.maxInflight': 5 };

forEachStore('A full queue, drop-oldest', (node) => {
  forEachVersion((version) => {
    it('of a client that is away keeps the newest messages', async () => {
      const clientId = `oldest-away-${version}`;
      const client = await reader(node(), version, clientId, 5);
      await subscribe(client, clientId, 1);
      await leave(client);
      const before = await counted(node(), dropped, 'reason="queue-full"');
      await publish(node(), clientId, texts(1, 50));
      await eventually(async () => (await counted(node(), dropped, 'reason="queue-full"')) === before + 30, { what: 'all drops counted' });
      const back = await reader(node(), version, clientId, 5);
      assert.deepEqual(await drain(back, 20), texts(31, 50));
      await leave(back);
    });

    it('of a client that does not acknowledge keeps what is on its way and the newest messages', async () => {
      const clientId = `oldest-here-${version}`;
      const client = await reader(node(), version, clientId, 5);
      await subscribe(client, clientId, 1);
      const before = await counted(node(), dropped, 'reason="queue-full"');
      await publish(node(), clientId, texts(1, 60));
      await eventually(async () => (await counted(node(), dropped, 'reason="queue-full"')) === before + 35, { what: 'all drops counted' });
      assert.deepEqual(await drain(client, 25), [...texts(1, 5), ...texts(41, 60)]);
      await leave(client);
    });
  });

  it('is told of in the log with the client and the number, not message by message', async () => {
    const client = await enter(node(), 5, { ...lasting(5), clientId: 'told' });
    await subscribe(client, 'told', 1);
    await leave(client);
    await publish(node(), 'told', texts(1, 200));
    const lines = (): LogLine[] => node().nodes.flatMap((one) => one.logs()).filter(({ msg, client: of }) => of === 'told' && msg.includes('queue of the session is full'));
    await eventually(() => lines().length > 0, { what: 'line in the log' });
    assert.ok(lines().length <= 2, 'at most one line a minute');
    assert.ok(Number(lines()[0]!['dropped']) > 0);
  });
}, { set: limits });

forEachStore('A full queue, drop-newest', (node) => {
  forEachVersion((version) => {
    it('keeps the oldest messages, whether its client is away or does not acknowledge', async () => {
      for (const isHere of [false, true]) {
        const clientId = `newest-${isHere}-${version}`;
        const client = await reader(node(), version, clientId, 5);
        await subscribe(client, clientId, 1);
        if (!isHere) await leave(client);
        const kept = isHere ? 25 : 20;
        const before = await counted(node(), dropped, 'reason="queue-full"');
        await publish(node(), clientId, texts(1, 50));
        await eventually(async () => (await counted(node(), dropped, 'reason="queue-full"')) === before + 50 - kept, { what: 'all drops counted' });
        const taker = isHere ? client : await reader(node(), version, clientId, 5);
        assert.deepEqual(await drain(taker, kept), texts(1, kept));
        await publish(node(), clientId, ['room again']);
        assert.deepEqual(await drain(taker, 1), ['room again']);
        await leave(taker);
      }
    });
  });
}, { set: { ...limits, 'queue.whenFull': 'drop-newest' } });

forEachStore('A full queue, disconnect', (node) => {
  forEachVersion((version) => {
    it('sends its client away, which finds what was queued when it comes back', async () => {
      const clientId = `disconnect-${version}`;
      const client = await reader(node(), version, clientId, 5);
      await subscribe(client, clientId, 1);
      const closed = await closedBy(node(), 'quota-exceeded');
      const before = await counted(node(), dropped, 'reason="queue-full"');
      const publishing = publish(node(), clientId, texts(1, 60));
      for (let i = 1; i <= 5; i++) await client.expect({ cmd: 'publish', payload: String(i) });
      if (version === 5) await client.expect({ cmd: 'disconnect', reasonCode: 0x97 });
      await client.expectClosed();
      await publishing;
      await eventually(async () => (await closedBy(node(), 'quota-exceeded')) === closed + 1, { what: 'one close' });
      const back = await reader(node(), version, clientId, 5);
      // what came while its node let go of it was taken
      const kept: string[] = [];
      const lost = async (): Promise<number> => (await counted(node(), dropped, 'reason="queue-full"')) - before;
      while (kept.length + (await lost()) < 60) kept.push((await take(back, {})).payload.toString());
      assert.ok(kept.length >= 20 && kept.length < 60, `${kept.length} were kept`);
      assert.deepEqual(kept.slice(0, 20), texts(1, 20));
      await leave(back);
    });
  });
}, { set: { ...limits, 'queue.whenFull': 'disconnect' } });

forEachStore('A queue that is full of bytes', (node) => {
  it('drops the oldest and counts them by that reason, whether its client is away or does not acknowledge', async () => {
    for (const isHere of [false, true]) {
      const clientId = `bytes-${isHere}`;
      const client = await reader(node(), 5, clientId, 5);
      await subscribe(client, clientId, 1);
      if (!isHere) await leave(client);
      const before = await counted(node(), dropped, 'reason="queue-full-bytes"');
      await publish(node(), clientId, texts(1, 400).map((text) => text.padEnd(1000, '.')));
      const taker = isHere ? client : await reader(node(), 5, clientId, 5);
      await eventually(async () => (await counted(node(), dropped, 'reason="queue-full-bytes"')) > before, { what: 'a drop' });
      const kept: number[] = [];
      while (kept.at(-1) !== 400) kept.push(Number.parseInt((await take(taker, {})).payload.toString(), 10));
      await eventually(async () => (await counted(node(), dropped, 'reason="queue-full-bytes"')) - before + kept.length === 400, { what: 'all counted' });
      assert.ok(kept.length >= 80 && kept.length <= 150, `${kept.length} of about 1 KB are kept`);
      assert.deepEqual(kept.slice(-50).map(String), texts(351, 400));
      await leave(taker);
    }
  });
}, { set: { 'queue.maxBytes': 131_072, 'mqtt.maxInflight': 5 } });

forEachStore('A client that does not read', (node) => {
  it('loses QoS 0 messages over the high-water mark, counted, and gets every QoS 1 message when it reads again', async () => {
    const slow = await enter(node(), 5, { ...lasting(5), clientId: 'does-not-read' });
    await subscribe(slow, 'slow/#', 1);
    slow.pause();
    const publisher = await enter(node(), 5);
    // where it reads, and, from another node, where more is published than a commit can take
    const drops = async (): Promise<number> =>
      (await counted(node(), dropped, 'reason="slow-client"')) + (await counted(node(), dropped, 'reason="commit-full"'));
    const before = await drops();
    const large = Buffer.alloc(100_000, 1);
    // the kernel's buffers on the way fill first
    for (let i = 0; i < 400; i++) publisher.send(message('slow/lossy', large, 0));
    for (let i = 1; i <= 20; i++) await send(publisher, message('slow/sure', String(i), 1));
    await eventually(async () => (await drops()) > before, { what: 'drop' });
    slow.resume();
    const sure: string[] = [];
    let lossy = 0;
    // what was written before comes before the answer; what another node sent may come later still
    const readOn = async (): Promise<void> => {
      slow.send({ cmd: 'pingreq' });
      for (let packet = await slow.next(); packet.cmd !== 'pingresp'; packet = await slow.next()) {
        assert.ok(packet.cmd === 'publish');
        if (packet.qos === 0) lossy++;
        else {
          sure.push(packet.payload.toString());
          slow.send({ cmd: 'puback', messageId: packet.messageId! });
        }
      }
    };
    const isAll = async (): Promise<boolean> => {
      await readOn();
      return sure.length >= 20 && lossy + (await drops()) - before === 400;
    };
    await eventually(isAll, { withinMs: 10_000, what: () => `all messages: ${sure.length} sure ones and ${lossy} others came` });
    assert.deepEqual(sure, texts(1, 20));
    await leave(publisher);
    await leave(slow);
  });
}, { set: { 'socket.highWaterBytes': 65_536 } });
