import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IAuthPacket, IConnectPacket } from 'mqtt-packet';
import { editPasswords, passwordLine } from '../../src/auth/password-edit.ts';
import { temporaryFolder } from '../support/folder.ts';
import { startCluster, type TestCluster, type TestNode } from '../support/node.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';
import { ScramClient } from '../support/scram.ts';

describe('nodes with the same users and the same access list', function () {
  this.timeout(60_000);
  const folder = temporaryFolder('auth');
  const passwords = join(folder.path, 'users');
  const acl = join(folder.path, 'acl');
  let cluster: TestCluster;
  before(async () => {
    for (const user of ['anna', 'watcher']) await editPasswords(passwords, user, await passwordLine(user, { password: 'secret', costLog2: 10, scramIterations: 4096 }));
    writeFileSync(acl, 'allow user=anna topic users/anna/#\nallow user=watcher action=subscribe topic users/#\n');
    cluster = await startCluster(2, { set: { 'auth.passwordFile': passwords, 'auth.aclFile': acl } });
  });
  after(async () => {
    await cluster.stop();
    folder.remove();
  });

  const enter = async (node: TestNode, username: string, packet: Partial<IConnectPacket> = {}): Promise<PacketClient> => {
    const client = await openPackets(node.port, 5);
    const connack = await client.connect({ clientId: username, username, password: Buffer.from('secret'), ...packet });
    assert.equal(connack.reasonCode, 0);
    return client;
  };

  it('challenge a user that nobody is with the same salt', async () => {
    const salts = await Promise.all(
      cluster.nodes.map(async ({ port }) => {
        const scram = new ScramClient('nobody', 'x');
        const client = await openPackets(port, 5);
        const properties = { authenticationMethod: 'SCRAM-SHA-256', authenticationData: scram.first() };
        client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'nobody', clean: true, keepalive: 0, properties });
        const { properties: asked } = (await client.expect({ cmd: 'auth' })) as IAuthPacket;
        scram.final(asked!.authenticationData!);
        client.destroy();
        return scram.salt;
      }),
    );
    assert.equal(salts[0], salts[1]);
  });

  it('publish a will that was allowed when its node dies, and what its client sends at another node', async () => {
    const watcher = await enter(cluster.node(1), 'watcher');
    watcher.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'users/#', qos: 1 }] });
    await watcher.expect({ cmd: 'suback', granted: [1] });
    const will = { topic: 'users/anna/gone', payload: Buffer.from('gone'), qos: 1, retain: false } as const;
    await enter(cluster.node(0), 'anna', { will });
    await cluster.node(0).kill();
    const gone = await watcher.expect({ cmd: 'publish', topic: 'users/anna/gone', payload: 'gone' }, 20_000);
    watcher.send({ cmd: 'puback', messageId: (gone as { messageId?: number }).messageId! });
    const anna = await enter(cluster.node(1), 'anna');
    anna.send({ cmd: 'publish', topic: 'users/otto', payload: 'no', qos: 1, dup: false, retain: false, messageId: 1 });
    await anna.expect({ cmd: 'puback', reasonCode: 0x87 });
    anna.send({ cmd: 'publish', topic: 'users/anna/back', payload: 'yes', qos: 1, dup: false, retain: false, messageId: 2 });
    await anna.expect({ cmd: 'puback', reasonCode: 0 });
    await watcher.expect({ cmd: 'publish', topic: 'users/anna/back' });
    for (const client of [anna, watcher]) client.destroy();
  });
});
