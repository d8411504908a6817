import type { Redis } from 'ioredis';
import type { WaySettings } from './way.ts';

/**
 * That the replicas have what was written on one connection. Those who ask while a question is on its way share the next one.
 */
export class Confirmation {
  readonly #redis: Redis;
  readonly #settings: WaySettings;
  /** counts the lives of the connection: on a new one nobody knows whether the server has what was written before */
  life = 0;
  #now: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(redis: Redis, settings: WaySettings) {
    this.#redis = redis;
    this.#settings = settings;
    redis.on('close', () => this.life++);
  }

  /** Resolves when enough replicas have what was written in this `life`; rejects after `waitTimeoutMs`, or when nobody can know. */
  async confirm(life: number): Promise<void> {
    if (this.#settings.waitReplicas === 0) return;
    await (this.#next ??= this.#now.catch(() => undefined).then(() => {
      this.#next = null;
      return (this.#now = this.#ask());
    }));
    if (life !== this.life) throw new Error('Connection is closed: nobody knows whether the replicas have what was written');
  }

  async #ask(): Promise<void> {
    const { waitReplicas, waitTimeoutMs, onRefused } = this.#settings;
    const found = await this.#redis.wait(waitReplicas, waitTimeoutMs);
    if (found >= waitReplicas) return;
    const error = new Error(`NOREPLICAS ${found} of ${waitReplicas} replicas have what was written`);
    onRefused(error);
    throw error;
  }
}
