import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { generate, parser, type IConnackPacket, type IConnectPacket, type Packet } from 'mqtt-packet';
import { atEnd } from './ends.ts';
import { eventually, within } from './eventually.ts';

export type ProtocolVersion = 3 | 4 | 5;

/** The part of a packet that matters to a test. A payload may be given as text. */
export type PacketPart = { readonly cmd: Packet['cmd'] } & Readonly<Record<string, unknown>>;

const patienceMs = 5_000;

/**
 * One end of a conversation in packets, or in whatever bytes a test wants to send.
 *
 * Packets that arrive are kept in order, and each `expect` takes the next one, so a conversation reads like the
 * standard's own pictures and an unexpected packet fails the test where it came.
 */
export class PacketClient {
  readonly version: ProtocolVersion;
  readonly #stream: Duplex;
  readonly #arrived: Packet[] = [];
  #waiting: ((packet: Packet | null) => void) | null = null;
  #isClosed = false;

  constructor(stream: Duplex, version: ProtocolVersion) {
    this.version = version;
    this.#stream = stream;
    const parse = parser({ protocolVersion: version });
    parse.on('packet', (packet) => {
      this.#arrived.push(packet);
      this.#tell();
    });
    parse.on('error', (error: unknown) => stream.destroy(error as Error));
    stream.on('data', (bytes: Buffer) => parse.parse(bytes));
    // a reset is a close like any other here
    stream.on('error', () => undefined);
    stream.once('close', () => {
      this.#isClosed = true;
      this.#tell();
    });
    const forget = atEnd('a packet client', () => {
      this.destroy();
    });
    stream.once('close', forget);
  }

  /** Sends a packet, or bytes as they are. */
  send(packet: Packet | Buffer): void {
    this.#stream.write(Buffer.isBuffer(packet) ? packet : generate(packet, { protocolVersion: this.version }));
  }

  /** Sends CONNECT and gives the CONNACK, whatever it says. Without other wishes: a clean session without keep-alive. */
  async connect(packet: Partial<IConnectPacket> = {}): Promise<IConnackPacket> {
    const protocolId = this.version === 3 ? 'MQIsdp' : 'MQTT';
    const clientId = packet.clientId ?? `packets-${++clients}`;
    this.send({ cmd: 'connect', protocolId, protocolVersion: this.version, clean: true, keepalive: 0, ...packet, clientId });
    return (await this.expect({ cmd: 'connack' })) as IConnackPacket;
  }

  /** The next packet, which must hold what `part` holds. */
  async expect(part: PacketPart, withinMs = patienceMs): Promise<Packet> {
    const packet = await this.next(withinMs, `a ${part.cmd}`);
    const expected = { ...part, ...(typeof part['payload'] === 'string' ? { payload: Buffer.from(part['payload']) } : {}) };
    assert.deepEqual(pick(packet, expected), expected);
    return packet;
  }

  /** The next packet, whatever it is. */
  async next(withinMs = patienceMs, what = 'a packet'): Promise<Packet> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return arrived;
    assert.equal(this.#waiting, null, 'one question at a time');
    const packet = await within(this.#nextArrival(), withinMs, what).finally(() => {
      this.#waiting = null;
    });
    assert.ok(packet !== null, `the connection was closed instead of ${what}`);
    return packet;
  }

  /** The connection is closed by the other end, and no packet came before that. */
  async expectClosed(withinMs = patienceMs): Promise<void> {
    await eventually(() => this.#isClosed || this.#arrived.length > 0, { withinMs, what: 'close of the connection' });
    assert.deepEqual(this.#arrived, [], 'closed without a word');
  }

  /** No packet is on its way: the answer to a PINGREQ is the next one that comes. */
  async expectQuiet(): Promise<void> {
    this.send({ cmd: 'pingreq' });
    await this.expect({ cmd: 'pingresp' });
  }

  /** No packet comes for so long. Only where `expectQuiet` cannot tell: what it rules out may come from another node. */
  async nothing(withinMs: number): Promise<void> {
    await assert.rejects(this.next(withinMs), /did not come within/);
  }

  /** Stops reading: the receive window fills and the other end feels a slow peer. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends the connection without DISCONNECT. */
  destroy(): void {
    this.#stream.destroy();
  }

  #nextArrival(): Promise<Packet | null> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#tell();
    });
  }

  #tell(): void {
    if (this.#waiting === null) return;
    const packet = this.#arrived.shift();
    if (packet === undefined && !this.#isClosed) return;
    const resolve = this.#waiting;
    this.#waiting = null;
    resolve(packet ?? null);
  }
}

let clients = 0;

/** What `whole` holds at the places that `part` names. */
function pick(whole: unknown, part: unknown): unknown {
  const isPlain = (value: unknown): value is Record<string, unknown> => Object.getPrototypeOf(value ?? 0) === Object.prototype;
  if (!isPlain(part) || typeof whole !== 'object' || whole === null) return whole;
  return Object.fromEntries(Object.keys(part).map((name) => [name, pick((whole as Record<string, unknown>)[name], part[name])]));
}

/** Opens a TCP connection to a port of this machine; nothing is sent yet. */
export async function openPackets(port: number, version: ProtocolVersion = 4): Promise<PacketClient> {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true });
  const client = new PacketClient(socket, version);
  await once(socket, 'connect');
  return client;
}
