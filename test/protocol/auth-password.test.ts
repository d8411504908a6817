import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IConnackPacket } from 'mqtt-packet';
import { editPasswords, passwordLine } from '../../src/auth/password-edit.ts';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';
import { mosquittoPub } from '../support/mosquitto.ts';
import { startNode, type TestNode } from '../support/node.ts';
import { openPackets, type ProtocolVersion } from '../support/packets.ts';
import { codeOf, counted, forEachVersion, names, nodeFor } from './conversation.ts';

const quick = { costLog2: 10, scramIterations: 4096 };

async function enter(node: TestNode, version: ProtocolVersion, username?: string, password?: string): Promise<IConnackPacket> {
  const client = await openPackets(node.port, version);
  const connack = await client.connect({
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: Buffer.from(password) }),
  });
  if (codeOf(connack) !== 0) await client.expectClosed();
  client.destroy();
  return connack;
}

describe('user name and password', () => {
  const folder = temporaryFolder('password');
  const file = join(folder.path, 'users');
  const mosquitto = join(folder.path, 'mosquitto');
  before(async () => {
    await editPasswords(file, 'anna', await passwordLine('anna', { ...quick, password: 'secret' }));
    execFileSync('mosquitto_passwd', ['-b', '-c', mosquitto, 'anna', 'secret']);
  });
  after(() => {
    folder.remove();
  });

  for (const [noun, path] of [['a password file', file], ['a password file of mosquitto', mosquitto]] as const) {
    describe(`of ${noun}`, () => {
      const node = nodeFor({ set: { 'auth.passwordFile': path } });

      forEachVersion((version) => {
        const wrong = version === 5 ? 0x86 : 4;
        const anonymous = version === 5 ? 0x87 : 5;

        it('let in who has them, again and again', async () => {
          for (let i = 0; i < 3; i++) assert.equal(codeOf(await enter(node(), version, 'anna', 'secret')), 0);
        });

        it('are refused when they are wrong, in the same words for each part', async () => {
          const connacks = [];
          for (const [username, password] of [['anna', 'Secret'], ['anna', ''], ['Anna', 'secret'], ['', 'secret'], ['anna:', 'secret'], ['__proto__', 'x']] as const) {
            const connack = await enter(node(), version, username, password);
            assert.equal(codeOf(connack), wrong, `${username} ${password}`);
            connacks.push(JSON.stringify(connack));
          }
          assert.equal(new Set(connacks).size, 1);
          // a client that was let in before does not soften it
          assert.equal(codeOf(await enter(node(), version, 'anna', 'secret ')), wrong);
        });

        it('are asked of everyone', async () => {
          assert.equal(codeOf(await enter(node(), version)), anonymous);
          assert.equal(codeOf(await enter(node(), version, 'anna')), wrong);
        });
      });

      it('are counted when they are refused, and never logged', async () => {
        const refused = { 'wrong-password': ['anna', 'Secret'], 'unknown-user': ['Anna', 'secret'], 'no-password': ['anna'], anonymous: [] };
        for (const [reason, [username, password]] of Object.entries(refused)) {
          await enter(node(), 5, username, password);
          assert.equal(await counted(node(), 'swarmq_auth_refused_total', `reason="${reason}"`), 1, reason);
        }
        const line = node().logs().find(({ msg, reason }) => msg === 'a client was not authenticated' && reason === 'wrong-password');
        assert.deepEqual([line?.['user'], line?.['address']], ['anna', '127.0.0.1']);
        assert.doesNotMatch(node().output, /secret/i);
      });
    });
  }

  it('work for MQTT.js and for mosquitto_pub', async () => {
    const node = await startNode({ set: { 'auth.passwordFile': file } });
    const client = await connectClient(node.url, { username: 'anna', password: 'secret' });
    await client.subscribe('auth/t');
    await mosquittoPub(node.port, 'auth/t', ['hello'], { args: ['-u', 'anna', '-P', 'secret'] });
    assert.equal((await client.received(1))[0]?.topic, 'auth/t');
    await assert.rejects(mosquittoPub(node.port, 'auth/t', ['hello'], { args: ['-u', 'anna', '-P', 'wrong'] }), /not authori[sz]ed|bad user name/i);
    await client.end();
    await node.stop();
  });

  it('need not be given where anonymous clients are allowed; wrong ones are refused there too', async () => {
    const node = await startNode({ set: { 'auth.passwordFile': file, allowAnonymous: true } });
    assert.equal(codeOf(await enter(node, 4)), 0);
    assert.equal(codeOf(await enter(node, 4, 'anna', 'secret')), 0);
    assert.equal(codeOf(await enter(node, 4, 'anna', 'wrong')), 4);
    assert.equal(codeOf(await enter(node, 5, 'nobody', 'wrong')), 0x86);
    await node.stop();
  });

  it('take effect when the file changes; a file that cannot be understood, or is gone, changes nothing', async function () {
    this.timeout(60_000);
    const changing = join(folder.path, 'changing');
    await editPasswords(changing, 'anna', await passwordLine('anna', { ...quick, password: 'first' }));
    const node = await startNode({ set: { 'auth.passwordFile': changing } });
    const stale = (): Promise<number> => counted(node, 'swarmq_auth_password_file_stale');
    assert.equal(codeOf(await enter(node, 4, 'anna', 'first')), 0);

    await editPasswords(changing, 'anna', await passwordLine('anna', { ...quick, password: 'second' }));
    await eventually(async () => codeOf(await enter(node, 4, 'anna', 'second')) === 0, { what: 'the second password', withinMs: 15_000 });
    assert.equal(codeOf(await enter(node, 4, 'anna', 'first')), 4);

    writeFileSync(changing, 'anna:second\n');
    await eventually(async () => (await stale()) === 1, { what: 'a stale file', withinMs: 15_000 });
    assert.equal(codeOf(await enter(node, 4, 'anna', 'second')), 0);
    rmSync(changing);
    await editPasswords(changing, 'anna', await passwordLine('anna', { ...quick, password: 'third' }));
    await eventually(async () => codeOf(await enter(node, 4, 'anna', 'third')) === 0, { what: 'the third password', withinMs: 15_000 });
    assert.equal(await stale(), 0);
    rmSync(changing);
    await eventually(async () => (await stale()) === 1, { what: 'a missing file', withinMs: 15_000 });
    assert.equal(codeOf(await enter(node, 4, 'anna', 'third')), 0);
    await node.stop();
  });

  it('of more clients than the node checks at once and lets wait are refused as busy, and later ones are not', async () => {
    const slow = join(folder.path, 'slow');
    await editPasswords(slow, 'anna', await passwordLine('anna', { password: 'secret', costLog2: 15, scramIterations: 0 }));
    const node = await startNode({ set: { 'auth.passwordFile': slow, 'auth.hashesAtOnce': 1, 'auth.maxWaitingHashes': 2 } });
    const codes = await Promise.all(Array.from({ length: 12 }, async () => codeOf(await enter(node, 5, 'anna', 'wrong'))));
    assert.ok(codes.includes(0x86) && codes.includes(0x89), String(codes));
    assert.equal(codeOf(await enter(node, 5, 'anna', 'secret')), 0);
    assert.ok((await counted(node, 'swarmq_auth_refused_total', 'reason="busy"')) > 0);
    await node.stop();
  });

  it('that failed too often have to wait, right ones too, and only at that user', async () => {
    const node = await startNode({ set: { 'auth.passwordFile': file, 'auth.failures.free': 2, 'auth.failures.firstDelayMs': 3_000 } });
    for (const version of [4, 5, 4] as const) assert.ok([4, 0x86].includes(codeOf(await enter(node, version, 'anna', 'wrong'))));
    assert.equal(codeOf(await enter(node, 5, 'anna', 'secret')), 0x9f);
    assert.equal(codeOf(await enter(node, 4, 'anna', 'secret')), 3);
    assert.equal(codeOf(await enter(node, 4, 'otto', 'secret')), 4);
    await eventually(async () => codeOf(await enter(node, 4, 'anna', 'secret')) === 0, { what: 'the end of the delay', withinMs: 15_000 });
    assert.ok((await counted(node, 'swarmq_auth_refused_total', 'reason="too-many-failures"')) >= 2);
    await node.stop();
  });

  it('are not looked for when their file is missing or wrong: the node does not start', async () => {
    const bad = join(folder.path, 'bad');
    writeFileSync(bad, 'anna:secret\n');
    for (const [path, text] of [[bad, /line 1 has a hash of no known kind/], [join(folder.path, 'none'), /cannot be read/]] as const) {
      await assert.rejects(startNode({ set: { 'auth.passwordFile': path } }), (error: Error) => text.test(error.message) && /exit code 3/.test(error.message));
    }
  });

  it(`let ${names[4]} be served on any address`, async () => {
    const node = await startNode({ listen: 'mqtt://0.0.0.0:0', set: { 'auth.passwordFile': file } });
    assert.equal(codeOf(await enter(node, 4, 'anna', 'secret')), 0);
    assert.equal(codeOf(await enter(node, 4)), 5);
    await node.stop();
  });
});
