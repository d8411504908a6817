import assert from 'node:assert/strict';
import { join } from 'node:path';
import { connect } from 'mqtt';
import { generate, type IAuthPacket, type IConnackPacket, type IConnectPacket } from 'mqtt-packet';
import { editPasswords, passwordLine } from '../../src/auth/password-edit.ts';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/folder.ts';
import type { TestNode } from '../support/node.ts';
import { openPackets, type PacketClient } from '../support/packets.ts';
import { ScramClient, type ScramManners } from '../support/scram.ts';
import { closedBy, codeOf, counted, leave, message, nodeFor, subscribe, take } from './conversation.ts';

const method = 'SCRAM-SHA-256';
const goOn = 0x18;
const again = 0x19;
let clients = 0;

const quick = { costLog2: 10, scramIterations: 4096 };

function connectPacket(data: Buffer | undefined, more: Partial<IConnectPacket> = {}, name = method): IConnectPacket {
  const properties = { authenticationMethod: name, ...(data === undefined ? {} : { authenticationData: data }), ...more.properties };
  return { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clean: true, keepalive: 0, clientId: `scram-${++clients}`, ...more, properties };
}

function authPacket(reasonCode: number, data: Buffer | undefined, name = method): IAuthPacket {
  const properties = { authenticationMethod: name, ...(data === undefined ? {} : { authenticationData: data }) };
  return { cmd: 'auth', reasonCode, properties };
}

/** The challenge, which must be the next packet. */
async function challenge(client: PacketClient): Promise<Buffer> {
  const packet = (await client.expect({ cmd: 'auth', reasonCode: goOn })) as IAuthPacket;
  assert.equal(packet.properties!.authenticationMethod, method);
  return packet.properties!.authenticationData!;
}

/** CONNECT and the exchange after it; gives the CONNACK. */
async function enter(client: PacketClient, scram: ScramClient, more: Partial<IConnectPacket> = {}): Promise<IConnackPacket> {
  client.send(connectPacket(scram.first(), more));
  client.send(authPacket(goOn, scram.final(await challenge(client))));
  return (await client.expect({ cmd: 'connack' })) as IConnackPacket;
}

async function entered(node: TestNode, username = 'user', password = 'pencil', more: Partial<IConnectPacket> = {}): Promise<PacketClient> {
  const client = await openPackets(node.port, 5);
  const scram = new ScramClient(username, password);
  const connack = await enter(client, scram, more);
  assert.equal(connack.reasonCode, 0);
  assert.equal(connack.properties!.authenticationMethod, method);
  scram.verify(connack.properties!.authenticationData!);
  return client;
}

async function refused(client: PacketClient, cmd: 'connack' | 'disconnect', code: number, text: RegExp | null): Promise<void> {
  const packet = (await client.expect({ cmd, reasonCode: code })) as IConnackPacket;
  const told = packet.properties?.reasonString;
  if (text === null) assert.equal(told, undefined);
  else assert.match(String(told), text);
  await client.expectClosed();
}

/** A password file for the suite, with these users. */
function usersFor(passwords: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder('scram');
  const file = join(folder.path, 'users');
  before(async () => {
    for (const [username, password] of Object.entries(passwords)) await editPasswords(file, username, await passwordLine(username, { ...quick, password }));
  });
  after(() => {
    folder.remove();
  });
  return file;
}

describe('SCRAM-SHA-256 at CONNECT [MQTT 5, 4.12]', () => {
  const file = usersFor({ user: 'pencil', other: 'crayon' });
  before(async () => {
    await editPasswords(file, 'plain', await passwordLine('plain', { ...quick, password: 'pencil', scramIterations: 0 }));
  });
  const node = nodeFor({ set: { 'auth.passwordFile': file, 'mqtt.connectTimeoutMs': 1000 } });

  it('lets a client in that knows its password, and shows that the server knows it too', async () => {
    const client = await entered(node());
    assert.equal(await subscribe(client, 'scram/t', 0), 0);
    client.send(message('scram/t', 'hello', 0));
    await take(client, { topic: 'scram/t', payload: 'hello' });
    await leave(client);
  });

  it('refuses a wrong password, an unknown user, one without a verifier and a wrong nonce alike, without a word', async () => {
    const cases: [string, string, ScramManners][] = [
      ['user', 'pencils', {}],
      ['nobody', 'pencil', {}],
      ['plain', 'pencil', {}],
      ['user', 'pencil', { spoil: (text) => text.replace(/r=./, 'r=_') }],
    ];
    for (const [username, password, manners] of cases) {
      const client = await openPackets(node().port, 5);
      const connack = await enter(client, new ScramClient(username, password, manners));
      assert.equal(connack.reasonCode, 0x87, username);
      assert.deepEqual({ ...connack.properties }, {});
      await client.expectClosed();
    }
    assert.equal(await counted(node(), 'swarmq_auth_refused_total', 'reason="scram-wrong-proof"'), 1);
    assert.equal(await counted(node(), 'swarmq_auth_refused_total', 'reason="scram-unknown-user"'), 2);
    assert.doesNotMatch(node().output, /pencil/);
  });

  it('gives an unknown user the same salt each time, and as many iterations as the others have', async () => {
    const salts = [];
    for (const name of ['nobody', 'nobody', 'someone']) {
      const client = await openPackets(node().port, 5);
      const scram = new ScramClient(name, 'x');
      client.send(connectPacket(scram.first()));
      scram.final(await challenge(client));
      assert.equal(scram.iterations, 4096);
      salts.push(scram.salt);
      client.destroy();
    }
    assert.equal(salts[0], salts[1]);
    assert.notEqual(salts[0], salts[2]);
  });

  it('refuses a client that demands channel binding with 0x8C', async () => {
    const client = await openPackets(node().port, 5);
    client.send(connectPacket(Buffer.from('p=tls-exporter,,n=user,r=x')));
    await refused(client, 'connack', 0x8c, /channel binding is not offered/);
  });

  it('refuses a method that it does not speak with 0x8C', async () => {
    for (const name of ['SCRAM-SHA-1', 'SCRAM-SHA-256-PLUS', 'scram-sha-256', 'GS2-KRB5', '']) {
      const client = await openPackets(node().port, 5);
      client.send(connectPacket(Buffer.from('n,,n=user,r=x'), {}, name));
      await refused(client, 'connack', 0x8c, /method is not offered/);
    }
  });

  it('refuses what is no message of SCRAM with 0x82, and says what is wrong', async () => {
    for (const [data, text] of [
      [undefined, /authentication data is missing/],
      [Buffer.of(0xff), /no UTF-8/],
      [Buffer.from('n,,n=user'), /nonce/],
      [Buffer.from('n,,n=us=er,r=x'), /=2C or =3D/],
    ] as const) {
      const client = await openPackets(node().port, 5);
      client.send(connectPacket(data));
      await refused(client, 'connack', 0x82, text);
    }
    const client = await openPackets(node().port, 5);
    client.send(connectPacket(new ScramClient('user', 'pencil').first()));
    await challenge(client);
    client.send(authPacket(goOn, Buffer.from('c=biws,r=x')));
    await refused(client, 'connack', 0x82, /proof \(p=\) is missing/);
  });

  it('keeps the reason to itself when the client wants no problem information', async () => {
    const client = await openPackets(node().port, 5);
    client.send(connectPacket(undefined, { properties: { requestProblemInformation: false } }));
    const connack = (await client.expect({ cmd: 'connack', reasonCode: 0x82 })) as IConnackPacket;
    assert.equal(connack.properties?.reasonString, undefined);
  });

  it('takes nothing but AUTH and DISCONNECT before CONNACK [MQTT-3.1.2-30]', async () => {
    const scram = new ScramClient('user', 'pencil');
    for (const packet of [message('a', 'b', 0), { cmd: 'pingreq' }, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] }, connectPacket(scram.first())] as const) {
      const client = await openPackets(node().port, 5);
      client.send(connectPacket(scram.first()));
      await challenge(client);
      client.send(packet as IConnectPacket);
      await refused(client, 'connack', 0x82, /before the authentication is over/);
    }
    const client = await openPackets(node().port, 5);
    client.send(connectPacket(scram.first()));
    await challenge(client);
    await leave(client);
  });

  it('refuses AUTH with another method, or with another reason code than 0x18 [MQTT-4.12.0-3], [MQTT-4.12.0-5]', async () => {
    for (const [code, name, text] of [[goOn, 'SCRAM-SHA-1', /not the one of CONNECT/], [again, method, /reason code 0x18/]] as const) {
      const client = await openPackets(node().port, 5);
      const scram = new ScramClient('user', 'pencil');
      client.send(connectPacket(scram.first()));
      client.send(authPacket(code, scram.final(await challenge(client)), name));
      await refused(client, 'connack', 0x82, text);
    }
  });

  it('gives a client mqtt.connectTimeoutMs for the whole exchange', async () => {
    const before = await closedBy(node(), 'connect-timeout');
    const client = await openPackets(node().port, 5);
    client.send(connectPacket(new ScramClient('user', 'pencil').first()));
    await challenge(client);
    await refused(client, 'connack', 0x87, /not completed in time/);
    assert.equal(await closedBy(node(), 'connect-timeout'), before + 1);
  });

  it('sends no challenge that is larger than the client takes [MQTT-3.1.2-24]', async () => {
    const client = await openPackets(node().port, 5);
    client.send(connectPacket(new ScramClient('user', 'pencil').first(), { properties: { maximumPacketSize: 40 } }));
    await client.expect({ cmd: 'connack', reasonCode: 0x95 });
    await client.expectClosed();
  });

  it('does not open the session before the exchange is over', async () => {
    const standing = await entered(node(), 'user', 'pencil', { clientId: 'standing' });
    const client = await openPackets(node().port, 5);
    const refusedConnack = await enter(client, new ScramClient('user', 'wrong'), { clientId: 'standing' });
    assert.equal(refusedConnack.reasonCode, 0x87);
    await standing.expectQuiet();
    await leave(standing);
  });

  it('takes changes of the file over while clients are connected', async () => {
    const client = await entered(node());
    await editPasswords(file, 'late', await passwordLine('late', { password: 'comer', costLog2: 10, scramIterations: 5000 }));
    await eventually(() => node().logs().some(({ msg }) => msg === 'a file was changed and taken over'), { what: 'the new file', withinMs: 15_000 });
    await leave(await entered(node(), 'late', 'comer'));
    await client.expectQuiet();
    await leave(client);
  });
});

describe('SCRAM-SHA-256 by MQTT.js', () => {
  const file = usersFor({ user: 'pencil' });
  const node = nodeFor({ set: { 'auth.passwordFile': file } });

  it('is carried through at CONNECT', async () => {
    const scram = new ScramClient('user', 'pencil');
    const properties = { authenticationMethod: method, authenticationData: scram.first() };
    const client = connect(node().url, { protocolVersion: 5, manualConnect: true, reconnectPeriod: 0, properties });
    client.handleAuth = (packet, answer) => {
      answer(undefined, authPacket(goOn, scram.final(packet.properties!.authenticationData as Buffer)));
    };
    const forget = atEnd('MQTT.js', () => void client.end(true));
    const connected = new Promise<IConnackPacket>((resolve, reject) => client.once('connect', resolve).once('error', reject));
    client.connect();
    const connack = await connected;
    scram.verify(connack.properties!.authenticationData!);
    assert.deepEqual((await client.subscribeAsync('scram/js', { qos: 1 })).map(({ qos }) => qos), [1]);
    await client.endAsync();
    forget();
  });
});

describe('authentication again on a live connection [MQTT 5, 4.12.1]', () => {
  const file = usersFor({ user: 'pencil', other: 'crayon' });
  const node = nodeFor({ set: { 'auth.passwordFile': file } });

  /** Begins it, and gives the challenge. */
  const begin = async (client: PacketClient, scram: ScramClient): Promise<Buffer> => {
    client.send(authPacket(again, scram.first()));
    return challenge(client);
  };

  it('goes on while messages flow, and as often as the client likes', async () => {
    const client = await entered(node());
    await subscribe(client, 'again/t', 0);
    for (let round = 0; round < 3; round++) {
      const scram = new ScramClient('user', 'pencil');
      const asked = await begin(client, scram);
      client.send(message('again/t', `round ${round}`, 0));
      await take(client, { topic: 'again/t', payload: `round ${round}` });
      await client.expectQuiet();
      client.send(authPacket(goOn, scram.final(asked)));
      const last = (await client.expect({ cmd: 'auth', reasonCode: 0 })) as IAuthPacket;
      assert.equal(last.properties!.authenticationMethod, method);
      scram.verify(last.properties!.authenticationData!);
    }
    await leave(client);
  });

  it('may be begun anew before it is over', async () => {
    const client = await entered(node());
    const given = new ScramClient('user', 'pencil');
    await begin(client, given);
    const scram = new ScramClient('user', 'pencil');
    client.send(authPacket(goOn, scram.final(await begin(client, scram))));
    await client.expect({ cmd: 'auth', reasonCode: 0 });
    await leave(client);
  });

  it('that fails ends the connection with DISCONNECT 0x87, and the will is published [MQTT-4.12.1-2]', async () => {
    const watcher = await entered(node(), 'other', 'crayon', { clientId: 'watcher' });
    await subscribe(watcher, 'again/will', 0);
    const will = { topic: 'again/will', payload: Buffer.from('gone'), qos: 0, retain: false } as const;
    const client = await entered(node(), 'user', 'pencil', { will });
    const scram = new ScramClient('user', 'wrong');
    client.send(authPacket(goOn, scram.final(await begin(client, scram))));
    await refused(client, 'disconnect', 0x87, null);
    await take(watcher, { topic: 'again/will', payload: 'gone' });
    await leave(watcher);
  });

  it('as another user is refused', async () => {
    const client = await entered(node());
    const scram = new ScramClient('other', 'crayon');
    client.send(authPacket(goOn, scram.final(await begin(client, scram))));
    await refused(client, 'disconnect', 0x87, null);
  });

  it('with another method is a protocol error [MQTT-4.12.1-1]', async () => {
    const client = await entered(node());
    client.send(authPacket(again, Buffer.from('x'), 'SCRAM-SHA-1'));
    await refused(client, 'disconnect', 0x82, /not the one of CONNECT/);
  });

  it('that nobody began has no second message', async () => {
    const client = await entered(node());
    client.send(authPacket(goOn, Buffer.from('c=biws,r=x,p=x')));
    await refused(client, 'disconnect', 0x82, /there is no challenge/);
  });

  it('is not begun by the server, nor named in CONNACK, when CONNECT names no method [MQTT-4.12.0-6]', async () => {
    const client = await openPackets(node().port, 5);
    const connack = await client.connect({ username: 'user', password: Buffer.from('pencil') });
    assert.deepEqual([codeOf(connack), connack.properties?.authenticationMethod, connack.properties?.authenticationData], [0, undefined, undefined]);
    await client.expectQuiet();
    await leave(client);
  });

  it('with flags is malformed [MQTT-3.15.1-1]', async () => {
    for (const flags of [1, 2, 8]) {
      const client = await entered(node());
      const bytes = generate(authPacket(again, new ScramClient('user', 'pencil').first()), { protocolVersion: 5 });
      bytes[0]! |= flags;
      client.send(bytes);
      await refused(client, 'disconnect', 0x81, /reserved flags/);
    }
  });

  it('is not for a client that named no method in CONNECT [MQTT-4.12.0-7]', async () => {
    const client = await openPackets(node().port, 5);
    assert.equal(codeOf(await client.connect({ username: 'user', password: Buffer.from('pencil') })), 0);
    client.send(authPacket(again, new ScramClient('user', 'pencil').first()));
    await refused(client, 'disconnect', 0x82, /named no authentication method/);
  });
});
