import { Client } from './client.ts';
import { Histogram } from './histogram.ts';
import type { Load, LoadResult, RetainedPlan, Target } from './plan.ts';
import { retainAll, sites, stateOf } from './retained-topics.ts';
import { microsBetween, microsNow, Stopwatch } from './stopwatch.ts';

const warmUpSubscriptions = 100;

/** Very many retained topics, and clients that subscribe one after the other and wait for what is retained. */
export class Retained implements Load {
  readonly #plan: RetainedPlan;
  readonly #target: Target;
  readonly #latency = new Histogram();
  #next = 0;

  constructor(plan: RetainedPlan, target: Target) {
    this.#plan = plan;
    this.#target = target;
  }

  async prepare(): Promise<void> {
    await retainAll(this.#address(), this.#plan.topics, this.#plan.payloadBytes);
    await this.#subscribe(warmUpSubscriptions);
  }

  async measure(): Promise<LoadResult> {
    const { subscriptions } = this.#plan;
    this.#latency.clear();
    const stopwatch = new Stopwatch();
    await this.#subscribe(subscriptions);
    return {
      units: subscriptions,
      seconds: stopwatch.seconds(),
      p50Micros: this.#latency.quantile(0.5),
      p99Micros: this.#latency.quantile(0.99),
      p999Micros: this.#latency.quantile(0.999),
      pacerP99Micros: null,
      loadCpuSeconds: stopwatch.cpuSeconds(),
      faults: { lost: 0, doubled: 0, reordered: 0, misrouted: 0 },
    };
  }

  async #subscribe(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const [name, expected] = this.#nextFilter();
      await this.#subscribeOnce(name, expected);
    }
  }

  /** A filter, and how many topics it matches. */
  #nextFilter(): [string, number] {
    const { filter, topics } = this.#plan;
    // a large step, so that neighbours in the store are not asked for one after the other
    const device = (this.#next++ * 7919) % (topics / sites);
    if (filter === 'exact') return [stateOf(device * sites), 1];
    if (filter === 'wildcard') return [`bench/site/+/device/${device}/state`, sites];
    return [`bench/site/${device % sites}/device/+/alarm`, 1];
  }

  async #subscribeOnce(filter: string, expected: number): Promise<void> {
    let missing = expected;
    let startedAt = 0;
    let client: Client | undefined;
    await new Promise<void>((resolve, reject) => {
      const role = {
        message: (_buffer: Buffer, _payloadAt: number, readAt: number): void => {
          missing -= 1;
          if (missing === 0) {
            this.#latency.record(microsBetween(startedAt, readAt));
            resolve();
          }
        },
        acknowledged: (): void => undefined,
        dropped: (reason: string): void => reject(new Error(`a subscriber lost its connection: ${reason}`)),
      };
      Client.open({ ...this.#address(), clientId: 'bench-sub', isClean: true }, role).then((opened) => {
        client = opened;
        startedAt = microsNow();
        opened.subscribe(filter, 0).catch(reject);
      }, reject);
    });
    await client?.close();
  }

  #address(): { host: string; port: number } {
    return { host: this.#target.host, port: this.#target.ports[0]! };
  }
}
