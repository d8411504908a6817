import type { Engine } from './engine.ts';

/** What the `$SYS` topics tell that nobody counts: it is looked up when it is asked for, at most once a second. */
export class SysFigures {
  readonly #engine: Engine;
  readonly #startedAt: number;
  #lookedAt = -1;
  #waiting = { messages: 0, bytes: 0 };
  #heapBytes = 0;
  mostConnected = 0;
  mostHeapBytes = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#startedAt = engine.clock.monotonic();
  }

  get uptimeSeconds(): number {
    return Math.floor((this.#engine.clock.monotonic() - this.#startedAt) / 1000);
  }

  /** Messages that wait in this node's memory for its clients, or are on their way to them; bytes of those that wait. */
  get waiting(): { readonly messages: number; readonly bytes: number } {
    this.#look();
    return this.#waiting;
  }

  get heapBytes(): number {
    this.#look();
    return this.#heapBytes;
  }

  /** The nodes that live, by their ids. */
  get nodes(): readonly string[] {
    const alive = this.#engine.cluster.members().filter(({ isAlive }) => isAlive);
    return [...new Set(alive.map(({ node }) => node).concat(this.#engine.config.node.id))].sort();
  }

  noteConnected(): void {
    this.mostConnected = Math.max(this.mostConnected, this.#engine.sessions.size);
  }

  #look(): void {
    const { second } = this.#engine;
    if (this.#lookedAt === second) return;
    this.#lookedAt = second;
    let messages = 0;
    let bytes = 0;
    for (const { delivery } of this.#engine.sessions.values()) {
      messages += delivery.waiting + delivery.inFlight;
      bytes += delivery.waitingBytes;
    }
    this.#waiting = { messages, bytes };
    this.#heapBytes = process.memoryUsage().heapUsed;
    this.mostHeapBytes = Math.max(this.mostHeapBytes, this.#heapBytes);
  }
}
