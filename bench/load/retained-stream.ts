import { Canary } from './canary.ts';
import { Client } from './client.ts';
import { Histogram } from './histogram.ts';
import type { Load, LoadResult, RetainedStreamPlan, Target } from './plan.ts';
import { retainAll, sites, type Address } from './retained-topics.ts';
import { Stopwatch } from './stopwatch.ts';

/** A subscription to which nothing comes for so long gets nothing more. */
const patienceMs = 10_000;

/** One subscription to all of very many retained topics, and what other clients feel of it. */
export class RetainedStream implements Load {
  readonly #plan: RetainedStreamPlan;
  readonly #address: Address;

  constructor(plan: RetainedStreamPlan, target: Target) {
    this.#plan = plan;
    this.#address = { host: target.host, port: target.ports[0]! };
  }

  async prepare(): Promise<void> {
    await retainAll(this.#address, this.#plan.topics, this.#plan.payloadBytes);
  }

  async measure(): Promise<LoadResult> {
    const latency = new Histogram();
    const canary = new Canary(latency);
    await canary.start(this.#address);
    const stopwatch = new Stopwatch();
    const { received, seconds } = await this.#subscribe();
    const unheard = await canary.stop();
    return {
      units: received,
      seconds,
      p50Micros: latency.quantile(0.5),
      p99Micros: latency.quantile(0.99),
      p999Micros: latency.quantile(0.999),
      pacerP99Micros: null,
      loadCpuSeconds: stopwatch.cpuSeconds(),
      faults: { lost: this.#plan.topics + sites - received + unheard, doubled: 0, reordered: 0, misrouted: 0 },
    };
  }

  async #subscribe(): Promise<{ received: number; seconds: number }> {
    const wanted = this.#plan.topics + sites;
    const stopwatch = new Stopwatch();
    let received = 0;
    let seconds = 0;
    let client: Client | undefined;
    await new Promise<void>((resolve, reject) => {
      let before = -1;
      const watchdog = setInterval(() => {
        if (received === before) resolve();
        before = received;
      }, patienceMs);
      const role = {
        message: (): void => {
          if (++received < wanted) return;
          seconds = stopwatch.seconds();
          clearInterval(watchdog);
          resolve();
        },
        acknowledged: (): void => undefined,
        dropped: (reason: string): void => reject(new Error(`the subscriber lost its connection: ${reason}`)),
      };
      Client.open({ ...this.#address, clientId: 'bench-sub', isClean: true }, role).then((opened) => {
        client = opened;
        opened.subscribe('bench/#', 0).catch(reject);
      }, reject);
    });
    await client?.close();
    return { received, seconds: seconds || stopwatch.seconds() };
  }
}
