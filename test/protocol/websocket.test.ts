import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { createWebSocketStream, WebSocket } from 'ws';
import { figure } from '../chaos/operator.ts';
import { connectClient } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { PacketClient } from '../support/packets.ts';
import { forEachVersion, message, nodeFor, send, subscribe, take } from './conversation.ts';

describe('MQTT over WebSocket', () => {
  const node = nodeFor({ listen: ['ws://127.0.0.1:0/mqtt', 'mqtt://127.0.0.1:0'], set: { 'mqtt.connectTimeoutMs': 1000 } });

  const openSocket = async (protocols: string | string[] = 'mqtt', path = '/mqtt'): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${node().port}${path}`, protocols);
    socket.on('error', () => undefined);
    await once(socket, 'open');
    return socket;
  };

  /** Sends an HTTP request byte for byte. */
  const request = async (path: string, headers = ''): Promise<Socket> => {
    const socket = connectTcp(node().port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const handshake = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${handshake}${headers}\r\n`);
    return socket;
  };

  const answerTo = async (socket: Socket): Promise<string> => {
    let answer = '';
    socket.on('data', (bytes) => (answer += bytes.toString('latin1')));
    await eventually(() => answer.includes('\r\n'), { what: 'an HTTP answer' });
    return answer;
  };

  const assertServing = async (): Promise<void> => {
    const client = await connectClient(node().url);
    await client.end();
    assert.ok(node().isRunning);
  };

  forEachVersion((version) => {
    it('carries a conversation', async () => {
      const client = new PacketClient(createWebSocketStream(await openSocket(version === 3 ? 'mqttv3.1' : 'mqtt'), { allowHalfOpen: false }), version);
      await client.connect();
      await subscribe(client, `ws/${version}`, 0);
      client.send(message(`ws/${version}`, 'over a web socket', 0));
      await client.expect({ cmd: 'publish', payload: 'over a web socket' });
      client.send({ cmd: 'disconnect' });
      await client.expectClosed();
    });

    it('takes packets that are cut or joined by frames [MQTT-6.0.0-2]', async () => {
      const client = new PacketClient(createWebSocketStream(await openSocket(), { allowHalfOpen: false }), version);
      await client.connect();
      const ping = Buffer.from('c000', 'hex');
      client.send(Buffer.concat([ping, ping, ping.subarray(0, 1)]));
      client.send(ping.subarray(1));
      for (let i = 0; i < 3; i++) await client.expect({ cmd: 'pingresp' });
    });
  });

  it('works for MQTT.js, with messages larger than a frame, to and from TCP', async () => {
    const web = await connectClient(node().url.replace(/\/$/, ''));
    const tcp = await connectClient(node().addresses[1]!);
    await web.subscribe('big/#');
    const payload = Buffer.alloc(900_000, 'large ');
    await tcp.publish('big/1', payload);
    await web.publish('big/2', payload, { qos: 2 });
    const received = await web.received(2);
    for (const { payload: arrived } of received) assert.ok(payload.equals(arrived));
    await web.end();
    await tcp.end();
  });

  it('chooses the subprotocol mqtt [MQTT-6.0.0-4]', async () => {
    assert.equal((await openSocket(['other', 'mqtt'])).protocol, 'mqtt');
  });

  it('is refused without the subprotocol, and garbage after that harms nobody [MQTT-6.0.0-3]', async () => {
    const socket = await request('/mqtt');
    await answerTo(socket);
    // a frame with reserved bits, not masked
    socket.write(Buffer.from('f3057878', 'hex'));
    await once(socket, 'close');
    await assertServing();
  });

  it('sends binary frames only [MQTT-6.0.0-1]', async () => {
    const socket = await openSocket();
    let received = '';
    socket.on('message', (data: Buffer, isBinary) => {
      assert.ok(isBinary);
      received += data.toString('hex');
    });
    socket.send(Buffer.from('100d00044d51545404020000' + '000161', 'hex'));
    socket.send(Buffer.from('c000', 'hex'));
    // in one frame or in two
    await eventually(() => received === '20020000' + 'd000', { what: 'CONNACK and PINGRESP' });
    socket.terminate();
  });

  it('is closed by a frame that is not binary [MQTT-6.0.0-1]', async () => {
    const socket = await openSocket();
    socket.send('text');
    const [code] = (await once(socket, 'close')) as [number];
    assert.equal(code, 1003);
    await assertServing();
  });

  it('is closed by a frame against the rules of WebSocket', async () => {
    const socket = await request('/mqtt', 'Sec-WebSocket-Protocol: mqtt\r\n');
    await answerTo(socket);
    socket.write(Buffer.from('f3057878', 'hex'));
    await once(socket, 'close');
    await assertServing();
  });

  it('answers other paths with 404, whatever they look like', async () => {
    for (const path of ['/', '/other', '//', '//[', '/mqtt/more', '/%']) {
      const socket = await request(path);
      assert.match(await answerTo(socket), /^HTTP\/1\.1 404 /, path);
      socket.destroy();
    }
    await assertServing();
  });

  it('counts handshakes that fail', async () => {
    const failed = (): Promise<number> => figure([node()], 'swarmq_handshakes_failed_total');
    const before = await failed();
    const badVersion = 'GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    const raw = connectTcp(node().port, '127.0.0.1');
    raw.write(badVersion);
    assert.match(await answerTo(raw), /^HTTP\/1\.1 400 /);
    raw.destroy();
    for (const [path, headers] of [['/other', ''], ['/mqtt', '']] as const) {
      const socket = await request(path, headers);
      await answerTo(socket);
      socket.destroy();
    }
    await eventually(async () => (await failed()) === before + 3, { what: 'count of 3' });
  });

  it('takes a path with a query', async () => {
    const socket = await openSocket('mqtt', '/mqtt?token=x');
    socket.terminate();
  });

  it('does not mind peers that reset the connection during the handshake', async () => {
    for (let i = 0; i < 50; i++) {
      const socket = await request(i % 2 === 0 ? '/other' : '/mqtt', i % 3 === 0 ? 'Sec-WebSocket-Protocol: mqtt\r\n' : '');
      socket.resetAndDestroy();
    }
    await assertServing();
  });

  it('closes what does not complete its request in time', async () => {
    const closes = ['', 'GET /mqtt HTTP/1.1\r\nHost: '].map(async (bytes) => {
      const socket = connectTcp(node().port, '127.0.0.1');
      socket.resume();
      socket.write(bytes);
      await once(socket, 'close');
    });
    await Promise.all(closes);
  });

  it('answers a plain HTTP request with 426', async () => {
    const { status } = await fetch(`http://127.0.0.1:${node().port}/mqtt`);
    assert.equal(status, 426);
  });

  it('sends a lasting message to a client over WebSocket and hears its answer', async () => {
    const client = new PacketClient(createWebSocketStream(await openSocket(), { allowHalfOpen: false }), 5);
    await client.connect({ clean: false, properties: { sessionExpiryInterval: 60 } });
    await subscribe(client, 'ws/lasting', 2);
    const publisher = await connectClient(node().addresses[1]!);
    await publisher.publish('ws/lasting', 'kept', { qos: 2 });
    await take(client, { payload: 'kept', qos: 2 });
    await send(client, message('ws/elsewhere', 'x', 2));
    await publisher.end();
    client.destroy();
  });
});
