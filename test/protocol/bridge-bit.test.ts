import assert from 'node:assert/strict';
import { generate } from 'mqtt-packet';
import { eventually } from '../support/eventually.ts';
import { startMosquitto, mosquittoPub, mosquittoSub } from '../support/mosquitto.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';
import { enter, forEachStore, lasting, message, names, nodeFor, send, subscribe, take, type Place } from './conversation.ts';

/** Connects with bit 7 of the protocol level, as bridges do. */
async function enterAsBridge(node: Place, version: 3 | 4, clientId: string, clean: boolean): Promise<PacketClient> {
  const client = await openPackets(node.port, version);
  const protocolId = version === 3 ? 'MQIsdp' : 'MQTT';
  const connect = generate({ cmd: 'connect', protocolId, protocolVersion: version, clientId, clean, keepalive: 0 });
  connect[connect.indexOf(protocolId) + protocolId.length]! |= 0x80;
  client.send(connect);
  await client.expect({ cmd: 'connack', returnCode: 0 });
  return client;
}

forEachStore('A bridge of MQTT 3, which sets bit 7 of the level', (node) => {
  for (const version of [3, 4] as const) {
    for (const clean of [true, false]) {
      it(`gets nothing back that it sent, and RETAIN as it was (${names[version]}, ${clean ? 'a clean' : 'a lasting'} session)`, async () => {
        const topic = `bridge/${version}/${clean}`;
        const clientId = `bridge-${version}-${clean}`;
        const bridge = await enterAsBridge(node(), version, clientId, clean);
        assert.equal(await subscribe(bridge, `${topic}/#`, 2), 2);
        const watcher = await enter(node(), 5);
        await subscribe(watcher, `${topic}/own`, 2);
        const other = await enter(node(), 5);
        const converse = async (from: PacketClient): Promise<void> => {
          for (const qos of [0, 1, 2] as const) {
            for (const retain of [false, true]) {
              await send(from, message(`${topic}/own`, 'own', qos, { retain }));
              await take(watcher, { payload: 'own', qos, retain: false });
              await from.expectQuiet();
              await send(other, message(`${topic}/other`, 'other', qos, { retain }));
              await take(from, { payload: 'other', qos, retain });
            }
          }
        };
        await converse(bridge);
        if (clean) return;
        bridge.destroy();
        await send(other, message(`${topic}/other`, 'meanwhile', 1, { retain: true }));
        const again = await enterAsBridge(node(), version, clientId, clean);
        await take(again, { payload: 'meanwhile', retain: true });
        await converse(again);
      });
    }
  }

  it('shares a subscription like any other client', async () => {
    const bridge = await enterAsBridge(node(), 4, 'bridge-sharing', true);
    await subscribe(bridge, '$share/bridge/shared/bridge', 1);
    await send(bridge, message('shared/bridge', 'own', 0));
    await take(bridge, { payload: 'own' });
  });

  it('that goes on with a session made without the bit finds its subscriptions as they were', async () => {
    const session = { ...lasting(4), clientId: 'bridge-once' };
    const client = await enter(node(), 4, session);
    await subscribe(client, 'bridge/once', 0);
    client.destroy();
    const bridge = await enterAsBridge(node(), 4, session.clientId, false);
    bridge.send(message('bridge/once', 'echo', 0));
    await take(bridge, { payload: 'echo' });
  });
});

describe('A bridge of mosquitto', () => {
  const node = nodeFor();

  it('carries messages both ways, once each, and keeps retained ones retained', async () => {
    const peer = await startMosquitto([
      'connection swarmq',
      `address 127.0.0.1:${node().port}`,
      'topic # both 1',
      'cleansession true',
      'notifications false',
      'restart_timeout 1',
    ]);
    const watcher = await enter(node(), 4);
    await subscribe(watcher, 'from/peer/#', 1);
    const there = await mosquittoSub(peer.port, 'from/#', { id: 'there' });
    // the bridge may be a moment behind its broker
    await eventually(
      async () => {
        await mosquittoPub(peer.port, 'from/peer/hello', ['hello']);
        return watcher.next(300).then(() => true, () => false);
      },
      { what: 'the bridge' },
    );
    const before = there.messages.length;
    await mosquittoPub(peer.port, 'from/peer/kept', ['kept'], { retain: true });
    const publisher = await enter(node(), 4);
    await send(publisher, message('from/here', 'retained here', 1, { retain: true }));
    await send(publisher, message('from/here', 'last', 1));
    const arrived = await there.received(before + 3);
    // an echo of what the peer sent would have come back to it before the last message
    assert.deepEqual(arrived.slice(before).map(({ payload }) => payload), ['kept', 'retained here', 'last']);
    const later = await mosquittoSub(peer.port, 'from/here');
    assert.deepEqual((await later.received(1))[0], { topic: 'from/here', qos: 1, retain: true, payload: 'retained here' });
    const here = await enter(node(), 4);
    here.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'from/peer/kept', qos: 0 }] });
    const packets = [await here.next(), await here.next()];
    assert.ok(packets.some((packet) => packet.cmd === 'publish' && packet.retain && packet.payload.toString() === 'kept'));
    await peer.stop();
  });
});
