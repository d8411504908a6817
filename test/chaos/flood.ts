import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { generate, parser, type Packet } from 'mqtt-packet';
import { atEnd } from '../support/ends.ts';
import { eventually } from '../support/eventually.ts';

const window = 1000;
const atOnce = 100;

/** A connection of MQTT 3.1.1 in the hand of a test that goes for numbers: accepted when this resolves. */
export async function enterRaw(port: number, clientId: string, clean = true): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true });
  atEnd(`raw client ${clientId}`, () => {
    socket.destroy();
  });
  socket.on('error', () => undefined);
  send(socket, { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean, clientId, keepalive: 0 });
  const [connack] = (await once(socket, 'data')) as [Buffer];
  if (connack[0] !== 0x20 || connack[3] !== 0) throw new Error(`${clientId} was not let in: ${connack.toString('hex')}`);
  return socket;
}

export async function subscribeRaw(socket: Socket, topic: string, qos: 0 | 1 | 2): Promise<void> {
  send(socket, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] });
  await once(socket, 'data');
}

/**
 * Publishes QoS 1 messages that hold their number, as fast as they are acknowledged, and no faster than a `sink` takes them.
 * Resolves when all are acknowledged.
 */
export async function flood(socket: Socket, topic: string, count: number, bytes: number, sink: Sink | null = null): Promise<void> {
  let sent = 0;
  let acknowledged = 0;
  const done = (): number => Math.min(acknowledged, sink?.count ?? Infinity);
  const parse = parser({ protocolVersion: 4 });
  const more = (): void => {
    socket.cork();
    while (sent < count && sent - done() < window) {
      const payload = Buffer.alloc(bytes, ' ');
      payload.write(String(sent));
      send(socket, { cmd: 'publish', topic, payload, qos: 1, dup: false, retain: false, messageId: (sent++ % 60_000) + 1 });
    }
    socket.uncork();
  };
  parse.on('packet', (packet) => {
    if (packet.cmd !== 'puback') return;
    acknowledged++;
    if (sent - done() <= window - atOnce) more();
  });
  socket.on('data', (chunk: Buffer) => parse.parse(chunk));
  await eventually(() => {
    more();
    return acknowledged === count;
  }, { withinMs: 300_000, what: () => `acknowledgement of all (${acknowledged} of ${count})` });
}

/** Takes QoS 1 messages and acknowledges them; `count` goes up as long as their numbers do. */
export class Sink {
  count = 0;
  next = 0;
  /** the first number that did not come in order */
  gap: number | null = null;

  constructor(socket: Socket) {
    const parse = parser({ protocolVersion: 4 });
    parse.on('packet', (packet) => {
      if (packet.cmd !== 'publish') return;
      const number = Number(String(packet.payload));
      if (number === this.next) this.next++;
      else if (number > this.next) this.gap ??= number;
      this.count++;
      if (packet.qos === 1) send(socket, { cmd: 'puback', messageId: packet.messageId! });
    });
    socket.on('data', (chunk: Buffer) => {
      socket.cork();
      parse.parse(chunk);
      socket.uncork();
    });
    socket.resume();
  }
}

function send(socket: Socket, packet: Packet): void {
  socket.write(generate(packet, { protocolVersion: 4 }));
}
