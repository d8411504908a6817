import { connect as connectTcp, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import { atEnd } from '../support/ends.ts';

/** How soon one comes back that was refused or lost its connection: the pause doubles, and half of it is chance. */
const retry = { firstMs: 100, mostMs: 2000 };
const connackBytes = 4;

/** Very many clients that only connect, and come back when they lose their connection; a few hundred bytes each. */
export class Crowd {
  readonly #ids: readonly string[];
  readonly #ports: () => readonly number[];
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #forget: () => void;
  #isOver = false;
  /** connections that have their CONNACK */
  connected = 0;
  refused = 0;
  /** the longest from a lost connection to the next CONNACK, in ms */
  longestAwayMs = 0;

  constructor(count: number, name: string, ports: () => readonly number[]) {
    this.#ids = Array.from({ length: count }, (_, i) => `${name}-${i}`);
    this.#ports = ports;
    this.#forget = atEnd(`the crowd ${name}`, () => {
      this.leave();
    });
  }

  get size(): number {
    return this.#ids.length;
  }

  come(): void {
    for (const [i, id] of this.#ids.entries()) this.#connect(id, i, 0, performance.now());
  }

  leave(): void {
    this.#forget();
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(id: string, home: number, attempt: number, awaySince: number): void {
    const ports = this.#ports();
    const socket = connectTcp({ port: ports[(home + attempt) % ports.length]!, host: '127.0.0.1', noDelay: true });
    this.#sockets.add(socket);
    let isIn = false;
    socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: false, clientId: id, keepalive: 0 }));
    socket.on('data', (bytes: Buffer) => {
      if (isIn || bytes.length < connackBytes) return;
      if (bytes[3] !== 0) {
        this.refused++;
        socket.destroy();
        return;
      }
      isIn = true;
      this.connected++;
      this.longestAwayMs = Math.max(this.longestAwayMs, performance.now() - awaySince);
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (isIn) this.connected--;
      if (this.#isOver) return;
      const pause = Math.min(retry.mostMs, retry.firstMs * 2 ** (isIn ? 0 : attempt)) * (0.5 + Math.random() / 2);
      const since = isIn ? performance.now() : awaySince;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#connect(id, home, isIn ? 0 : attempt + 1, since);
      }, pause);
      this.#timers.add(timer);
    });
  }
}
