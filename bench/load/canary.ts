import { Client } from './client.ts';
import type { Histogram } from './histogram.ts';
import { payloadHead, PublishRing } from './packets.ts';
import type { Address } from './retained-topics.ts';
import { microsBetween, microsNow } from './stopwatch.ts';

const everyMs = 5;
const slots = 2048;
const topic = 'canary';

/** Two clients and a message of QoS 1 between them every 5 ms, to see what something else does to others. */
export class Canary {
  readonly #latency: Histogram;
  readonly #clients: Client[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;
  #heard = 0;
  #told: (() => void) | null = null;

  constructor(latency: Histogram) {
    this.#latency = latency;
  }

  async start(address: Address): Promise<void> {
    const nothing = { acknowledged: (): void => undefined, dropped: (): void => undefined };
    const hear = (buffer: Buffer, payloadAt: number, readAt: number): void => {
      this.#latency.record(microsBetween(buffer.readUInt32BE(payloadAt + payloadHead.sentAt), readAt));
      if (++this.#heard === this.#sent) this.#told?.();
    };
    const hearing = await Client.open({ ...address, clientId: 'bench-canary-sub', isClean: true }, { ...nothing, message: hear });
    await hearing.subscribe(topic, 1);
    const singing = await Client.open({ ...address, clientId: 'bench-canary-pub', isClean: true }, { ...nothing, message: (): void => undefined });
    this.#clients.push(hearing, singing);
    const ring = new PublishRing(0, topic, 1, payloadHead.bytes, slots);
    this.#timer = setInterval(() => {
      ring.stamp(this.#sent, microsNow());
      for (const piece of ring.pieces(this.#sent, 1)) singing.send(piece);
      this.#sent++;
    }, everyMs);
  }

  /** Stops sending; gives how many of its messages were not heard within a second. */
  async stop(): Promise<number> {
    clearInterval(this.#timer);
    if (this.#heard < this.#sent) await new Promise<void>((resolve) => (this.#told = resolve, setTimeout(resolve, 1000)));
    await Promise.all(this.#clients.map((client) => client.close()));
    return this.#sent - this.#heard;
  }
}
