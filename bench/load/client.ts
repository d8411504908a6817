import { connect, type Socket } from 'node:net';
import { FrameStream, type FrameSink } from './frames.ts';
import { connectPacket, disconnectPacket, subscribePacket, type QoS } from './packets.ts';
import { microsNow } from './stopwatch.ts';

/** What a client is for; called for each packet, so without promises or events. */
export interface ClientRole {
  /** A PUBLISH came; its payload begins at `payloadAt`. `readAt` is when its chunk was read, in us. */
  message(buffer: Buffer, payloadAt: number, readAt: number): void;
  /** An own QoS 1 or 2 message is done: PUBACK or PUBCOMP. */
  acknowledged(): void;
  /** The connection ended though nobody here ended it. */
  dropped(reason: string): void;
}

export interface ClientOptions {
  host: string;
  port: number;
  clientId: string;
  isClean: boolean;
}

const connack = 2;
const puback = 4;
const pubrec = 5;
const pubrel = 6;
const pubcomp = 7;
const suback = 9;

const readBytes = 256 * 1024;
// Reads and replies are handled within one callback, so all clients share these two.
const readBuffer = Buffer.allocUnsafe(readBytes);
const replyBuffer = Buffer.allocUnsafe(2 * readBytes);
let replyBytes = 0;

/** One MQTT connection on a raw socket. Acknowledges what it receives, with one write for each chunk it reads. */
export class Client implements FrameSink {
  readonly #socket: Socket;
  readonly #role: ClientRole;
  readonly #frames = new FrameStream();
  #waiting: { type: number; resolve: () => void; reject: (error: Error) => void } | undefined;
  #readAt = 0;
  #isClosing = false;

  /** Gives a client whose CONNECT was accepted. */
  static async open(options: ClientOptions, role: ClientRole): Promise<Client> {
    const client = new Client(options, role);
    client.send(connectPacket(options.clientId, options.isClean));
    await client.#answer(connack);
    return client;
  }

  private constructor(options: ClientOptions, role: ClientRole) {
    this.#role = role;
    const onread = { buffer: readBuffer, callback: (length: number): boolean => this.#read(length) };
    this.#socket = connect({ host: options.host, port: options.port, noDelay: true, onread });
    this.#socket.on('error', (error) => this.#ended(error.message));
    this.#socket.on('close', () => this.#ended('closed by the broker'));
  }

  async subscribe(filter: string, qos: QoS): Promise<void> {
    this.send(subscribePacket(1, filter, qos));
    await this.#answer(suback);
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Leaves with DISCONNECT. */
  close(): Promise<void> {
    this.#isClosing = true;
    this.#socket.end(disconnectPacket);
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }

  message(buffer: Buffer, payloadAt: number, qos: number, id: number): void {
    this.#role.message(buffer, payloadAt, this.#readAt);
    if (qos === 1) reply(0x40, id >> 8, id & 0xff);
    else if (qos === 2) reply(0x50, id >> 8, id & 0xff);
  }

  packet(type: number, buffer: Buffer, from: number): void {
    if (type === puback || type === pubcomp) this.#role.acknowledged();
    else if (type === pubrec) reply(0x62, buffer[from]!, buffer[from + 1]!);
    else if (type === pubrel) reply(0x70, buffer[from]!, buffer[from + 1]!);
    else if (type === connack) this.#settle(type, buffer[from + 1] === 0, `CONNECT refused with ${buffer[from + 1]}`);
    else if (type === suback) this.#settle(type, buffer[from + 2]! < 0x80, 'SUBSCRIBE refused');
  }

  #read(length: number): boolean {
    this.#readAt = microsNow();
    replyBytes = 0;
    this.#frames.read(readBuffer, length, this);
    if (replyBytes > 0) this.send(Buffer.from(replyBuffer.subarray(0, replyBytes)));
    return true;
  }

  #answer(type: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { type, resolve, reject };
    });
  }

  #settle(type: number, isGood: boolean, complaint: string): void {
    const waiting = this.#waiting;
    if (waiting?.type !== type) return;
    this.#waiting = undefined;
    if (isGood) waiting.resolve();
    else waiting.reject(new Error(complaint));
  }

  #ended(reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#waiting?.reject(new Error(reason));
    this.#role.dropped(reason);
  }
}

function reply(firstByte: number, idHigh: number, idLow: number): void {
  replyBuffer[replyBytes] = firstByte;
  replyBuffer[replyBytes + 1] = 2;
  replyBuffer[replyBytes + 2] = idHigh;
  replyBuffer[replyBytes + 3] = idLow;
  replyBytes += 4;
}

/** Runs `task` for 0..count-1, at most `concurrency` at a time. */
export async function inParallel(count: number, concurrency: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: Math.min(count, concurrency) }, worker));
}
