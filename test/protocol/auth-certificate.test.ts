import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import type { IConnackPacket, IConnectPacket } from 'mqtt-packet';
import { Certificates } from '../support/certificates.ts';
import { connectClient } from '../support/client.ts';
import { startNode, type NodeOptions, type TestNode } from '../support/node.ts';
import { PacketClient, type ProtocolVersion } from '../support/packets.ts';
import { codeOf, forEachVersion, leave, nodeFor, subscribe } from './conversation.ts';

describe('a client certificate', () => {
  let certificates: Certificates;
  before(() => {
    certificates = new Certificates();
    certificates.issue('car', '/O=fleet/CN=car-7', ['DNS:car-7.fleet.test', 'DNS:other.test', 'URI:urn:car:7', 'email:car7@fleet.test']);
    certificates.issue('twice', '/CN=car-7/CN=car-8');
    certificates.issue('wild', '/CN=\\+');
    certificates.issue('tricky', '/CN=tricky', ['DNS:a, DNS:b.test']);
    certificates.issue('nameless', '/O=fleet');
    writeFileSync(certificates.path('acl'), 'allow topic names/${username}/#\n');
  });
  after(() => {
    certificates.remove();
  });

  const options = (template: string, set: NonNullable<NodeOptions['set']> = {}): NodeOptions => {
    const tls = { certFile: certificates.path('server.pem'), keyFile: certificates.path('server.key') };
    const mutual = { ...tls, caFile: certificates.path('authority.pem'), requestCertificate: true };
    return {
      listen: [],
      config: { listeners: [{ url: 'mqtts://127.0.0.1:0', tls: mutual }, { url: 'wss://127.0.0.1:0', tls: mutual }, { url: 'mqtts://127.0.0.1:0', tls }] },
      set: { 'auth.certificateUser': template, 'auth.aclFile': certificates.path('acl'), ...set },
    };
  };
  const open = async (node: TestNode, version: ProtocolVersion, name: string | null, index = 0): Promise<PacketClient> => {
    const own = name === null ? {} : { cert: certificates.read(`${name}.pem`), key: certificates.read(`${name}.key`) };
    const socket = connectTls({ port: Number(new URL(node.addresses[index]!).port), host: '127.0.0.1', ca: certificates.read('authority.pem'), ...own });
    const client = new PacketClient(socket, version);
    await once(socket, 'secureConnect');
    return client;
  };
  const connect = async (node: TestNode, version: ProtocolVersion, name: string, packet: Partial<IConnectPacket> = {}): Promise<{ client: PacketClient; connack: IConnackPacket }> => {
    const client = await open(node, version, name);
    return { client, connack: await client.connect(packet) };
  };

  describe('whose common name is the user name', () => {
    const node = nodeFor(() => options('${cn}'));

    forEachVersion((version) => {
      it('lets its holder in as that user, whatever user name CONNECT gives', async () => {
        for (const packet of [{}, { username: 'admin', password: Buffer.from('x') }]) {
          const { client, connack } = await connect(node(), version, 'car', packet);
          assert.equal(codeOf(connack), 0);
          assert.equal(await subscribe(client, 'names/car-7/#', 0), 0);
          assert.ok((await subscribe(client, 'names/admin/#', 0)) >= 0x80);
          await leave(client);
        }
      });

      it('that has several common names, or none, names nobody', async () => {
        for (const name of ['twice', 'nameless']) {
          const { client, connack } = await connect(node(), version, name);
          assert.equal(codeOf(connack), version === 5 ? 0x87 : 5, name);
          await client.expectClosed();
        }
      });
    });

    it('works over WebSocket', async () => {
      const web = await connectClient(node().addresses[1]!, { ca: certificates.read('authority.pem'), cert: certificates.read('car.pem'), key: certificates.read('car.key') });
      await web.subscribe('names/car-7/#');
      await web.end();
    });

    it('with a wildcard for a name reaches nothing', async () => {
      const { client, connack } = await connect(node(), 5, 'wild');
      assert.equal(codeOf(connack), 0);
      for (const filter of ['names/+/#', 'names/car-7/#', '#']) assert.equal(await subscribe(client, filter, 0), 0x87);
      await leave(client);
    });

    it('is not there on a listener that does not ask for it: the client is anonymous', async () => {
      const client = await open(node(), 5, 'car', 2);
      assert.equal(codeOf(await client.connect()), 0x87);
    });
  });

  it('gives a user name made of other parts of it', async () => {
    const { fingerprint256, serialNumber } = new X509Certificate(certificates.read('car.pem'));
    const names = {
      '${dns}': 'car-7.fleet.test',
      '${uri}': 'urn:car:7',
      'mail-${email}': 'mail-car7@fleet.test',
      '${serial}': serialNumber,
      '${fingerprint}': fingerprint256.replaceAll(':', '').toLowerCase(),
      '${cn}.${cn}': 'car-7.car-7',
    };
    for (const [template, name] of Object.entries(names)) {
      const node = await startNode(options(template));
      const { client } = await connect(node, 5, 'car');
      assert.equal(await subscribe(client, `names/${name}/#`, 0), 0, template);
      if (template === '${dns}') {
        // one name with a comma in it, not two
        const tricky = await connect(node, 5, 'tricky');
        assert.equal(await subscribe(tricky.client, 'names/a, DNS:b.test/#', 0), 0);
        tricky.client.destroy();
        assert.equal(codeOf((await connect(node, 5, 'nameless')).connack), 0x87);
      }
      client.destroy();
      await node.stop();
    }
  });

  it('stands beside user names for those without one', async () => {
    writeFileSync(certificates.path('users'), '');
    const node = await startNode(options('${cn}', { 'auth.passwordFile': certificates.path('users') }));
    const { connack } = await connect(node, 5, 'car');
    assert.equal(codeOf(connack), 0);
    const client = await open(node, 5, null, 2);
    assert.equal(codeOf(await client.connect({ username: 'car-7', password: Buffer.from('x') })), 0x86);
    await node.stop();
  });

  it('is asked for by a listener, and named by a template, or the node does not start', async () => {
    for (const [set, fault] of [
      [{ 'auth.certificateUser': '${cn}' }, /needs a listener that asks for certificates/],
      [{ 'auth.certificateUser': 'everyone' }, /names nobody/],
      [{ 'auth.certificateUser': '${ou}' }, /names nobody/],
      [{ 'auth.clientIds': '${username}' }, /nobody has a way to prove who they are/],
    ] as const) {
      await assert.rejects(startNode({ set }), (error: Error) => fault.test(error.message) && /exit code 3/.test(error.message));
    }
  });

  describe('and the client ids that its user may have', () => {
    const node = nodeFor(() => options('${cn}', { 'auth.clientIds': '${username}-*' }));

    forEachVersion((version) => {
      it('are those of the pattern, and those that the server chooses', async () => {
        for (const clientId of ['car-7-a', 'car-7-']) {
          const { client, connack } = await connect(node(), version, 'car', { clientId });
          assert.equal(codeOf(connack), 0, clientId);
          await leave(client);
        }
        for (const clientId of ['car-8-a', 'car-7', 'xcar-7-a', 'auto-1']) {
          const { client, connack } = await connect(node(), version, 'car', { clientId });
          assert.equal(codeOf(connack), version === 5 ? 0x85 : 2, clientId);
          await client.expectClosed();
        }
        if (version !== 3) assert.equal(codeOf((await connect(node(), version, 'car', { clientId: '' })).connack), 0);
      });
    });

    it('are none for a client without a certificate', async () => {
      const anonymous = await open(node(), 5, null, 2);
      assert.equal(codeOf(await anonymous.connect({ clientId: 'car-7-a' })), 0x87);
    });
  });
});
