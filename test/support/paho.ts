import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ensurePaho } from '../../scripts/paho.mjs';
import { eventually } from './eventually.ts';
import { TestProcess } from './process.ts';

/** As Paho names and writes them, `{ UserProperty: [['a', 'b']] }`; bytes in hexadecimal. */
export type PahoProperties = Readonly<Record<string, unknown>>;

export interface PahoOptions {
  readonly version: 3 | 4 | 5;
  readonly clientId: string;
  readonly clean?: boolean;
  /** Messages are acknowledged by `ack` only. */
  readonly manualAck?: boolean;
}

export interface PahoWill {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly properties?: PahoProperties;
}

export interface PahoConnect {
  readonly properties?: PahoProperties;
  readonly will?: PahoWill;
}

export interface PahoMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly mid: number;
  readonly properties: PahoProperties;
}

export interface PahoConnack {
  readonly code: number;
  readonly sessionPresent: boolean;
  readonly properties: PahoProperties;
}

type PahoEvent = { readonly event: string } & Readonly<Record<string, unknown>>;

/** An Eclipse Paho client for Python in a process of its own, which reads everything and keeps it. */
export class Paho {
  readonly #process: TestProcess;
  readonly #taken = new Map<string, number>();
  readonly #messages: PahoMessage[] = [];
  /** how many lines of its output were looked through for messages */
  #lines = 0;
  /** The answer to its latest CONNECT. */
  connack: PahoConnack = { code: 0, sessionPresent: false, properties: {} };

  constructor(options: PahoOptions) {
    const program = join(import.meta.dirname, 'paho-client.py');
    const env = { ...process.env, PYTHONPATH: ensurePaho() };
    this.#process = new TestProcess('python3', [program], { name: `Paho ${options.clientId}`, env, isTyped: true });
    this.#process.type(`${JSON.stringify(options)}\n`);
  }

  /** All messages so far. */
  get messages(): readonly PahoMessage[] {
    const { lines } = this.#process;
    for (; this.#lines < lines.length; this.#lines++) {
      const event = eventIn(lines[this.#lines]!);
      if (event?.event === 'message') this.#messages.push(event as unknown as PahoMessage);
    }
    return this.#messages;
  }

  async connect(port: number, more: PahoConnect = {}): Promise<PahoConnack> {
    this.#do('connect', { port, ...more });
    return (this.connack = (await this.#next('connack')) as unknown as PahoConnack);
  }

  /** Resolves at the SUBACK with the code of each filter. */
  async subscribe(filters: readonly (readonly [topic: string, qos: 0 | 1 | 2])[], properties?: PahoProperties): Promise<number[]> {
    this.#do('subscribe', { filters, properties });
    return (await this.#next('suback'))['codes'] as number[];
  }

  async unsubscribe(...filters: string[]): Promise<void> {
    this.#do('unsubscribe', { filters });
    await this.#next('unsuback');
  }

  /** Resolves with the reason code at the end of the exchange that the QoS asks for. */
  async publish(topic: string, payload: string, qos: 0 | 1 | 2, more: { readonly retain?: boolean; readonly properties?: PahoProperties } = {}): Promise<number> {
    this.#do('publish', { topic, payload, qos, ...more });
    return (await this.#next('published'))['code'] as number;
  }

  /** All of them at once, in order; resolves when the last exchange is over. */
  async publishAll(topic: string, payloads: readonly string[], qos: 0 | 1 | 2): Promise<void> {
    for (const payload of payloads) this.#do('publish', { topic, payload, qos });
    await this.#next('published', payloads.length);
  }

  ack({ mid, qos }: PahoMessage): void {
    this.#do('ack', { mid, qos });
  }

  /** The messages so far, once there are at least `count`. */
  async received(count: number): Promise<readonly PahoMessage[]> {
    const what = (): string => `${count} messages at ${this.#process.name} (${this.messages.length} came)\n${this.#process.output.slice(-2_000)}`;
    return eventually(() => this.messages.length >= count && this.messages, { withinMs: 10_000, what });
  }

  /** Resolves with the reason code once the connection has ended. */
  async disconnected(): Promise<number> {
    return (await this.#next('disconnected'))['code'] as number;
  }

  /** DISCONNECT, and the end of the process. */
  async end(code = 0): Promise<void> {
    this.#do('disconnect', { code });
    await this.disconnected();
    await this.#process.stop();
  }

  /** It vanishes without DISCONNECT. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  #do(what: string, words: object): void {
    this.#process.type(`${JSON.stringify({ do: what, ...words })}\n`);
  }

  /** The next one of its kind that was not asked for yet, or the `count`th. */
  #next(kind: string, count = 1): Promise<PahoEvent> {
    const taken = (this.#taken.get(kind) ?? 0) + count;
    this.#taken.set(kind, taken);
    let seen = 0;
    const read = (line: string): PahoEvent | undefined => {
      const event = eventIn(line);
      return event?.event === kind && ++seen === taken ? event : undefined;
    };
    return this.#process.line(read, kind, 10_000);
  }
}

function eventIn(line: string): PahoEvent | null {
  return line.startsWith('{') ? (JSON.parse(line) as PahoEvent) : null;
}

/** Starts a Paho client and connects it; fails unless it is accepted. */
export async function connectPaho(port: number, options: PahoOptions, more: PahoConnect = {}): Promise<Paho> {
  const paho = new Paho(options);
  const { code } = await paho.connect(port, more);
  assert.equal(code, 0, 'CONNACK');
  return paho;
}
