import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { atEnd } from './ends.ts';

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  /** The near side is gone without a word, and the far side shall not notice. */
  isAbandoned: boolean;
}

/** A TCP proxy on loopback that can be made to behave like a bad network. */
export class TcpProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #targetPort: number;
  readonly #forget: () => void;
  #delayMs = 0;
  #isDown = false;
  #gate: Promise<void> | null = null;
  #openGate: () => void = () => undefined;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
      this.#join(near);
    });
    this.#forget = atEnd(`proxy to port ${targetPort}`, () => this.stop());
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections go through it now. */
  get size(): number {
    return this.#links.size;
  }

  /** Resets all present connections, on both sides; new ones are let in. */
  cut(): void {
    for (const { near, far } of this.#links) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** `cut`, and new connections are reset too until `up`. */
  down(): void {
    this.#isDown = true;
    this.cut();
  }

  up(): void {
    this.#isDown = false;
  }

  /** Every read of bytes is passed on this much later, in both directions; 0 ends it. */
  slow(ms: number): void {
    this.#delayMs = ms;
  }

  /** Nothing passes in either direction and nobody is told, until `thaw`; then all that was held passes. */
  freeze(): void {
    this.#gate ??= new Promise((resolve) => {
      this.#openGate = resolve;
    });
  }

  thaw(): void {
    this.#gate = null;
    this.#openGate();
  }

  /** The near side is gone and the far side is not told: its connections stay open and silent until `cut` or `stop`. */
  halfOpen(): void {
    for (const link of this.#links) {
      link.isAbandoned = true;
      link.near.resetAndDestroy();
    }
  }

  async stop(): Promise<void> {
    this.#forget();
    this.cut();
    this.thaw();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #join(near: Socket): void {
    if (this.#isDown) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: this.#targetPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const link: Link = { near, far, isAbandoned: false };
    this.#links.add(link);
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.once('close', () => {
        if (near.destroyed && far.destroyed) this.#links.delete(link);
      });
    }
    void this.#pass(link, near, far);
    void this.#pass(link, far, near);
  }

  async #pass(link: Link, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const bytes of from) {
        if (this.#delayMs > 0) await wait(this.#delayMs);
        if (this.#gate !== null) await this.#gate;
        if (link.isAbandoned) continue;
        if (!to.write(bytes as Buffer)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
      if (!link.isAbandoned) to.end();
    } catch {
      if (!link.isAbandoned) to.resetAndDestroy();
    }
  }
}

/** Opens a proxy in front of a port of this machine. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(targetPort);
  await proxy.listen();
  return proxy;
}
