import assert from 'node:assert/strict';
import { openPackets, type ProtocolVersion } from '../support/packets.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { closedBy, enter, message, nodeFor, send, subscribe, versions } from './conversation.ts';

const patience = 8_000;

// Each of these takes seconds of silence, so the versions are silent at the same time.
describe('Keep alive, in each version', () => {
  const node = nodeFor();
  const inEach = (run: (version: ProtocolVersion) => Promise<void>): Promise<unknown> => Promise.all(versions.map(run));

  it('closes a connection that is silent for one and a half times as long, and no other [MQTT-3.1.2-22]', async () => {
    await inEach(async (version) => {
      const silent = await enter(node(), version, { keepalive: 1 });
      const silentAt = performance.now();
      const pinging = await enter(node(), version, { keepalive: 1 });
      const publishing = await enter(node(), version, { keepalive: 1 });
      const unlimited = await enter(node(), version, { keepalive: 0 });
      let isOver = false;
      const busy = (async () => {
        while (!isOver) {
          await pinging.expectQuiet();
          await send(publishing, message(`alive/${version}`, 'x', 1));
          await unlimited.nothing(100);
        }
      })();
      if (version === 5) await silent.expect({ cmd: 'disconnect', reasonCode: 0x8d }, patience);
      await silent.expectClosed(patience);
      const ms = performance.now() - silentAt;
      isOver = true;
      await busy;
      assert.ok(ms >= 1_500 && ms < 5_000, `closed after ${ms} ms`);
      for (const client of [pinging, publishing, unlimited]) await client.expectQuiet();
    });
    assert.equal(await closedBy(node(), 'keep-alive-timeout'), versions.length);
  });

  it('finds a client whose network is gone without a word, and sends its will', async () => {
    await inEach(async (version) => {
      const watcher = await enter(node(), version);
      await subscribe(watcher, `alive/${version}/will`, 1);
      const proxy = await startProxy(node().port);
      const client = await openPackets(proxy.port, version);
      await client.connect({ keepalive: 1, will: { topic: `alive/${version}/will`, payload: Buffer.from('lost'), qos: 1, retain: false } });
      proxy.halfOpen();
      await watcher.expect({ cmd: 'publish', payload: 'lost' }, patience);
      await proxy.stop();
    });
  });

  it('is not kept by messages that the client only receives', async () => {
    await inEach(async (version) => {
      const client = await enter(node(), version, { keepalive: 1 });
      await subscribe(client, `alive/${version}/feed`, 0);
      const publisher = await enter(node(), version);
      while (!client.isClosed) {
        await send(publisher, message(`alive/${version}/feed`, 'x', 1));
        await publisher.nothing(100);
      }
    });
  });
});

describe('Keep alive that the server limits', () => {
  const node = nodeFor({ set: { 'mqtt.maxKeepAliveSeconds': 1 } });

  it('is told to a client of MQTT 5.0 that asks for more or for none, and counts [MQTT-3.1.2-21]', async () => {
    const isCounted = async (keepalive: number): Promise<void> => {
      const client = await openPackets(node().port, 5);
      const { properties } = await client.connect({ keepalive });
      assert.equal(properties?.serverKeepAlive, 1);
      await client.expect({ cmd: 'disconnect', reasonCode: 0x8d }, patience);
    };
    await Promise.all([isCounted(0), isCounted(60)]);
  });

  it('is not told when the client asks for no more', async () => {
    const client = await openPackets(node().port, 5);
    assert.equal((await client.connect({ keepalive: 1 })).properties?.serverKeepAlive, undefined);
  });
});
