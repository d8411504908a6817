import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { atEnd } from './ends.ts';

/**
 * One port before several nodes, the opposite of a sticky load balancer: each connection goes to the next node, and a
 * client that comes back goes to another node than the one that served it last.
 */
export class Roundabout {
  readonly #server: Server;
  readonly #ports: readonly number[];
  readonly #open = new Set<Socket>();
  readonly #lastOf = new Map<string, number>();
  readonly #forget: () => void;
  #turn = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
      void this.#serve(near);
    });
    this.#forget = atEnd(`roundabout to ports ${ports.join(', ')}`, () => this.stop());
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#forget();
    for (const socket of this.#open) socket.resetAndDestroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(near: Socket): Promise<void> {
    this.#keep(near);
    const { bytes, isEnded } = await readConnect(near);
    if (near.destroyed) return;
    const port = this.#ports[this.#exitFor(clientIdIn(bytes) ?? '')]!;
    const far = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.#keep(far);
    far.write(bytes);
    if (isEnded) far.end();
    else near.pipe(far);
    far.pipe(near);
    // an end goes on by `pipe`, a reset does not
    near.once('close', (isBroken) => (isBroken ? far.resetAndDestroy() : far.destroySoon()));
    far.once('close', (isBroken) => (isBroken ? near.resetAndDestroy() : near.destroySoon()));
  }

  #exitFor(clientId: string): number {
    const count = this.#ports.length;
    if (this.#lastOf.get(clientId) === this.#turn % count) this.#turn++;
    const exit = this.#turn++ % count;
    if (clientId !== '') this.#lastOf.set(clientId, exit);
    return exit;
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    // seen by the close that follows
    socket.on('error', () => undefined);
    socket.once('close', () => this.#open.delete(socket));
  }
}

/** Opens a roundabout in front of these ports of this machine. */
export async function startRoundabout(ports: readonly number[]): Promise<Roundabout> {
  const roundabout = new Roundabout(ports);
  await roundabout.listen();
  return roundabout;
}

/** The first bytes of a connection, at least until they tell the client identifier or can no longer be a CONNECT. */
async function readConnect(socket: Socket): Promise<{ bytes: Buffer; isEnded: boolean }> {
  let bytes = Buffer.alloc(0);
  return new Promise((resolve) => {
    const settle = (isEnded: boolean): void => {
      socket.off('data', read).pause();
      resolve({ bytes, isEnded });
    };
    const read = (more: Buffer): void => {
      bytes = Buffer.concat([bytes, more]);
      if (clientIdIn(bytes) !== null) settle(false);
    };
    socket.on('data', read);
    socket.once('end', () => { settle(true); });
    socket.once('close', () => { settle(true); });
  });
}

/** More than a CONNECT with a will and all properties has in any test. */
const longestConnect = 100_000;

/**
 * The client identifier of a CONNECT at the beginning of these bytes, empty when something else is there, or a CONNECT that tells
 * none; null: it is not all there yet.
 */
function clientIdIn(bytes: Buffer): string | null {
  if (bytes.length > 0 && bytes[0]! >> 4 !== 1) return '';
  let at = 1;
  let end = Infinity;
  const number = (): number => {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * 128 ** i;
      if (byte < 0x80) return value;
    }
    return Infinity;
  };
  const text = (): string => {
    const from = at + 2;
    at = from + bytes.readUInt16BE(at);
    if (at > bytes.length) throw new RangeError('cut off');
    return bytes.toString('latin1', from, at);
  };
  try {
    const length = number();
    if (length > longestConnect) return '';
    end = at + length;
    text();
    const level = bytes.readUInt8(at);
    at += 4;
    if (level === 5) {
      const properties = number();
      at += properties;
    }
    return text();
  } catch {
    return bytes.length >= end ? '' : null;
  }
}
