import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { figure } from '../chaos/operator.ts';
import { Certificates } from '../support/certificates.ts';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { mosquittoPub } from '../support/mosquitto.ts';
import { PacketClient } from '../support/packets.ts';
import { forEachVersion, message, nodeFor, subscribe } from './conversation.ts';

describe('MQTT over TLS', () => {
  let certificates: Certificates;
  before(() => {
    certificates = new Certificates();
  });
  after(() => {
    certificates.remove();
  });

  const tls = (more: object = {}): object => ({ certFile: certificates.path('server.pem'), keyFile: certificates.path('server.key'), ...more });
  const node = nodeFor(() => ({
    listen: [],
    config: {
      listeners: [
        { url: 'mqtts://127.0.0.1:0', tls: tls() },
        { url: 'wss://127.0.0.1:0', tls: tls() },
        { url: 'mqtts://127.0.0.1:0', tls: tls({ caFile: certificates.path('authority.pem'), requestCertificate: true }) },
      ],
    },
    set: { 'mqtt.connectTimeoutMs': 1000 },
  }));
  const portOf = (index: number): number => Number(new URL(node().addresses[index]!).port);
  const options = (index: number, more: ConnectionOptions = {}): ConnectionOptions => ({
    port: portOf(index),
    host: '127.0.0.1',
    ca: certificates.read('authority.pem'),
    ...more,
  });

  forEachVersion((version) => {
    it('carries a conversation', async () => {
      const socket = connectTls(options(0));
      await once(socket, 'secureConnect');
      assert.ok(socket.authorized);
      const client = new PacketClient(socket, version);
      await client.connect();
      await subscribe(client, `tls/${version}`, 0);
      client.send(message(`tls/${version}`, Buffer.alloc(200_000, 'secret '), 0));
      await client.expect({ cmd: 'publish' });
      client.send({ cmd: 'disconnect' });
      await client.expectClosed();
    });
  });

  it('works for MQTT.js over TLS and over WebSocket with TLS, and for mosquitto_pub', async () => {
    const ca = certificates.read('authority.pem');
    const direct = await connectClient(node().addresses[0]!, { ca });
    const web = await connectClient(node().addresses[1]!, { ca });
    await direct.subscribe('tls/+');
    await web.subscribe('tls/+');
    await web.publish('tls/x', 'hello');
    await mosquittoPub(portOf(0), 'tls/y', ['hello'], { args: ['--cafile', certificates.path('authority.pem')] });
    for (const client of [direct, web]) {
      assert.deepEqual((await client.received(2)).map(({ topic }) => topic), ['tls/x', 'tls/y']);
      await client.end();
    }
  });

  it('asks for a certificate where it is told to, and takes only those of its authority', async () => {
    const read = (file: string): Buffer => certificates.read(file);
    const known = connectTls(options(2, { cert: read('client.pem'), key: read('client.key') }));
    const client = new PacketClient(known, 4);
    await client.connect();
    for (const more of [{}, { cert: read('stranger.pem'), key: read('stranger.key') }]) {
      const socket = connectTls(options(2, more));
      const refused = new PacketClient(socket, 4);
      await refused.expectClosed();
    }
    await client.expectQuiet();
  });

  it('does not speak versions of TLS before 1.2', async () => {
    const socket = connectTls(options(0, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
    await new PacketClient(socket, 4).expectClosed();
  });

  it('closes what does not complete a handshake in time', async () => {
    const closes = [0, 1].map(async (index) => {
      const socket = connectTcp(portOf(index), '127.0.0.1');
      socket.resume();
      await once(socket, 'close');
    });
    await Promise.all(closes);
  });

  it('closes what is no TLS, counts it, and goes on', async () => {
    const failed = (): Promise<number> => figure([node()], 'swarmq_handshakes_failed_total');
    const before = await failed();
    for (const bytes of ['100c00044d515454040200000000', '00'.repeat(100), '1603010200010001fc0303']) {
      const socket = connectTcp(portOf(0), '127.0.0.1');
      const client = new PacketClient(socket, 4);
      client.send(Buffer.from(bytes, 'hex'));
      if (bytes.startsWith('16')) socket.resetAndDestroy();
      else await client.next().catch(() => undefined);
      client.destroy();
    }
    await eventually(async () => (await failed()) >= before + 2, { what: 'count of both that were no TLS' });
    const client = await connectClient(node().addresses[0]!, { ca: certificates.read('authority.pem') });
    await client.end();
  });
});
