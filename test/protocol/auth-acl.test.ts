import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IConnackPacket, IConnectPacket, IPubackPacket } from 'mqtt-packet';
import { editPasswords, passwordLine } from '../../src/auth/password-edit.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';
import { startNode, type TestNode } from '../support/node.ts';
import { openPackets, type PacketClient, type ProtocolVersion } from '../support/packets.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { codeOf, counted, forEachVersion, lasting, leave, message, nodeFor, send, subscribe, take } from './conversation.ts';

const users = { anna: 'secret', backend: 'secret', otto: 'secret' } as const;

/** A password file with these users and an access list, for one suite. */
function filesFor(rules: string): { readonly passwords: string; readonly acl: string; write(rules: string): void } {
  const folder = temporaryFolder('acl');
  const passwords = join(folder.path, 'users');
  const acl = join(folder.path, 'acl');
  const write = (text: string): void => {
    writeFileSync(acl, text);
  };
  before(async () => {
    for (const [user, password] of Object.entries(users)) await editPasswords(passwords, user, await passwordLine(user, { password, costLog2: 10, scramIterations: 0 }));
  });
  beforeEach(() => {
    write(rules);
  });
  write(rules);
  after(() => {
    folder.remove();
  });
  return { passwords, acl, write };
}

/** Connects as this user, whose password is right. */
async function connect(node: TestNode, version: ProtocolVersion, username: keyof typeof users, packet: Partial<IConnectPacket> = {}): Promise<{ client: PacketClient; connack: IConnackPacket }> {
  const client = await openPackets(node.port, version);
  const connack = await client.connect({ clientId: `${username}-${version}`, username, password: Buffer.from(users[username]), ...packet });
  return { client, connack };
}

async function enter(...args: Parameters<typeof connect>): Promise<PacketClient> {
  const { client, connack } = await connect(...args);
  assert.equal(codeOf(connack), 0);
  return client;
}

const rules = `
deny  topic cars/secret/#
allow user=backend
allow user=anna action=publish retain=no topic cars/\${clientid}/#
allow user=anna action=subscribe topic cars/\${clientid}/orders
allow action=subscribe topic news/+
`;

describe('an access list', () => {
  const { passwords, acl } = filesFor(rules);
  const node = nodeFor({ set: { 'auth.passwordFile': passwords, 'auth.aclFile': acl } });

  forEachVersion((version) => {
    it('lets a client publish and subscribe to what is allowed', async () => {
      const anna = await enter(node(), version, 'anna');
      const backend = await enter(node(), version, 'backend');
      assert.equal(await subscribe(anna, `cars/anna-${version}/orders`, 1), 1);
      assert.equal(await subscribe(backend, `cars/anna-${version}/speed`, 1), 1);
      await send(anna, message(`cars/anna-${version}/speed`, '80', 1));
      await take(backend, { topic: `cars/anna-${version}/speed`, payload: '80' });
      await send(backend, message(`cars/anna-${version}/orders`, 'slower', 1));
      await take(anna, { topic: `cars/anna-${version}/orders`, payload: 'slower' });
      for (const client of [anna, backend]) await leave(client);
    });

    it('refuses a subscription that would bring what is not allowed, and goes on', async () => {
      const refused = version === 5 ? 0x87 : 0x80;
      const anna = await enter(node(), version, 'anna');
      for (const filter of ['#', 'cars/#', 'cars/other/orders', 'cars/+/orders', 'news/#', '$SYS/#', '$share/g/#']) assert.equal(await subscribe(anna, filter, 0), refused, filter);
      assert.equal(await subscribe(anna, 'news/+', 0), 0);
      const backend = await enter(node(), version, 'backend');
      // what is denied is denied first
      assert.equal(await subscribe(backend, 'cars/#', 0), refused);
      for (const client of [anna, backend]) await leave(client);
    });

    it('refuses a message that is not allowed: MQTT 5 is told, MQTT 3 is closed', async () => {
      const watcher = await enter(node(), version, 'backend', { clientId: 'watcher' });
      await subscribe(watcher, 'cars/other/#', 0);
      for (const [topic, retain] of [['cars/other/speed', false], [`cars/anna-${version}/speed`, true], ['$SYS/x', false]] as const) {
        const anna = await enter(node(), version, 'anna');
        anna.send(message(topic, 'x', 1, { retain }));
        if (version === 5) {
          const { reasonCode } = (await anna.expect({ cmd: 'puback' })) as IPubackPacket;
          assert.equal(reasonCode, 0x87, topic);
          await leave(anna);
        } else {
          await anna.expectClosed();
        }
      }
      const backend = await enter(node(), version, 'backend');
      backend.send(message('$SYS/broker/uptime', 'x', 1));
      if (version === 5) await backend.expect({ cmd: 'puback', reasonCode: 0x87 });
      else await backend.expectClosed();
      backend.destroy();
      await watcher.expectQuiet();
      await leave(watcher);
    });

    it('refuses a client whose will is not allowed', async () => {
      const will = { topic: 'cars/other/gone', payload: Buffer.from('x'), qos: 0, retain: false } as const;
      const { client, connack } = await connect(node(), version, 'anna', { will });
      assert.equal(codeOf(connack), version === 5 ? 0x87 : 5);
      await client.expectClosed();
      const allowed = await enter(node(), version, 'anna', { will: { ...will, topic: `cars/anna-${version}/gone` } });
      await leave(allowed);
    });

    it('gives nothing to a client id that would reach further as a filter', async () => {
      for (const clientId of ['+', '+/x', 'a/b']) {
        const client = await enter(node(), version, 'anna', { clientId });
        assert.ok((await subscribe(client, `cars/${clientId}/orders`, 0)) >= 0x80, clientId);
        assert.ok((await subscribe(client, 'cars/a/orders', 0)) >= 0x80, clientId);
        await leave(client);
      }
    });
  });

  it('counts and logs what it does not allow', async () => {
    const anna = await enter(node(), 5, 'anna');
    await subscribe(anna, 'cars/other/orders', 0);
    anna.send(message('cars/other/speed', 'x', 0));
    await anna.expectQuiet();
    const will = { topic: 'cars/other/gone', payload: Buffer.from('x'), qos: 0, retain: false } as const;
    assert.equal(codeOf((await connect(node(), 5, 'otto', { will })).connack), 0x87);
    for (const action of ['publish', 'subscribe', 'will']) assert.ok((await counted(node(), 'swarmq_auth_denied_total', `action="${action}"`)) > 0, action);
    const line = node().logs().find(({ msg, action }) => msg === 'the access list does not allow this' && action === 'subscribe');
    assert.equal(line?.['user'], 'anna');
    await leave(anna);
  });
});

for (const place of ['memory', 'Redis'] as const) {
  describe(`an access list that changes, the store in ${place}`, () => {
    const changing = filesFor('allow');
    let redis: RedisServer | null = null;
    before(async () => {
      if (place === 'Redis') redis = await startRedis();
    });
    const node = nodeFor(() => ({ ...(redis === null ? {} : { redis: redis.url }), set: { 'auth.passwordFile': changing.passwords, 'auth.aclFile': changing.acl } }));
    after(() => redis?.stop());
    /** Changes the list, and waits until so many rules are in force. */
    const rule = async (...rules: string[]): Promise<void> => {
      changing.write(rules.join('\n'));
      await eventually(async () => (await counted(node(), 'swarmq_auth_acl_rules')) === rules.length, { what: 'the new list', withinMs: 15_000 });
    };
    it('takes the subscriptions away that it no longer allows, and disconnects their client', async () => {
      await rule('allow');
      const anna = await enter(node(), 5, 'anna', lasting(5));
      const otto = await enter(node(), 5, 'otto', lasting(5));
      const backend = await enter(node(), 5, 'backend');
      for (const client of [anna, otto]) for (const filter of ['a/1', 'b/1']) assert.equal(await subscribe(client, filter, 1), 1);

      await rule('allow user=anna topic a/1', 'allow user=otto', 'allow user=backend');
      await anna.expect({ cmd: 'disconnect', reasonCode: 0x87 });
      await anna.expectClosed();
      for (const topic of ['b/1', 'a/1']) await send(backend, message(topic, topic, 1));
      for (const topic of ['b/1', 'a/1']) await take(otto, { topic });
      const again = await connect(node(), 5, 'anna', lasting(5));
      assert.equal(again.connack.sessionPresent, true);
      await take(again.client, { topic: 'a/1' });
      await again.client.expectQuiet();
      assert.equal(await subscribe(again.client, 'b/1', 1), 0x87);
      for (const client of [again.client, otto, backend]) await leave(client, { properties: { sessionExpiryInterval: 0 } });
    });

    it('takes them from a client that was away when it comes back', async () => {
      await rule('allow');
      const anna = await enter(node(), 4, 'anna', lasting(4));
      for (const filter of ['a/1', 'b/1']) assert.equal(await subscribe(anna, filter, 1), 1);
      await leave(anna);
      await rule('allow user=anna topic a/1', 'allow user=backend');
      const { client, connack } = await connect(node(), 4, 'anna', lasting(4));
      assert.equal(connack.sessionPresent, true);
      const backend = await enter(node(), 4, 'backend');
      for (const topic of ['b/1', 'a/1']) await send(backend, message(topic, topic, 1));
      await take(client, { topic: 'a/1' });
      await client.expectQuiet();
      await leave(backend);
      await leave(client);
      await leave(await enter(node(), 4, 'anna'));
    });

    it('that cannot be understood changes nothing', async () => {
      await rule('allow user=anna topic a/1', 'allow user=otto');
      const anna = await enter(node(), 5, 'anna');
      assert.equal(await subscribe(anna, 'a/1', 0), 0);
      changing.write('allow everything');
      await eventually(async () => (await counted(node(), 'swarmq_auth_acl_file_stale')) === 1, { what: 'a stale list', withinMs: 15_000 });
      assert.equal(await subscribe(anna, 'b/1', 0), 0x87);
      assert.equal(await subscribe(anna, 'a/1', 0), 0);
      await leave(anna);
    });
  });
}

describe('an access list of mosquitto', () => {
  const { passwords, acl } = filesFor('topic read public/#\nuser anna\ntopic write log\npattern readwrite home/%u/%c/#\n');
  const node = nodeFor({ set: { 'auth.passwordFile': passwords, 'auth.aclFile': acl, allowAnonymous: true } });

  it('holds for users, patterns and anonymous clients', async () => {
    const anna = await enter(node(), 5, 'anna');
    assert.equal(await subscribe(anna, 'home/anna/anna-5/#', 0), 0);
    assert.equal(await subscribe(anna, 'home/anna/other/#', 0), 0x87);
    assert.equal(await subscribe(anna, 'log', 0), 0x87);
    anna.send(message('log', 'x', 1));
    await anna.expect({ cmd: 'puback', reasonCode: 0x10 });
    const anonymous = await openPackets(node().port, 5);
    assert.equal(codeOf(await anonymous.connect()), 0);
    assert.equal(await subscribe(anonymous, 'public/#', 0), 0);
    assert.equal(await subscribe(anonymous, 'log', 0), 0x87);
    for (const client of [anna, anonymous]) await leave(client);
  });
});

describe('an access list without authentication', () => {
  const { acl } = filesFor('allow user=anna\nallow client=car-* topic cars/${clientid}\n');

  it('goes by client ids, and believes no user name', async () => {
    const node = await startNode({ set: { 'auth.aclFile': acl } });
    const client = await openPackets(node.port, 5);
    assert.equal(codeOf(await client.connect({ clientId: 'car-1', username: 'anna', password: Buffer.from('x') })), 0);
    assert.equal(await subscribe(client, 'cars/car-1', 0), 0);
    assert.equal(await subscribe(client, 'other', 0), 0x87);
    await leave(client);
    await node.stop();
  });

  it('is not enough to be reached from other machines', async () => {
    await assert.rejects(startNode({ listen: 'mqtt://0.0.0.0:0', set: { 'auth.aclFile': acl } }), /exit code 3/);
  });

  it('allows the rest where that is configured', async () => {
    const node = await startNode({ set: { 'auth.aclFile': acl, 'auth.noMatch': 'allow' } });
    const client = await openPackets(node.port, 4);
    assert.equal(codeOf(await client.connect()), 0);
    assert.equal(await subscribe(client, '#', 0), 0);
    await leave(client);
    await node.stop();
  });
});
