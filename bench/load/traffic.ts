import { Flow } from './flow.ts';
import { Histogram } from './histogram.ts';
import type { Load, LoadResult, Target, TrafficPlan } from './plan.ts';
import { microsBetween, microsNow, Stopwatch } from './stopwatch.ts';

const tickMs = 1;
/** Room of a paced publisher, in ms of its rate: a broker that falls behind by more is not offered more. */
const pacedRoomMs = 2000;
const pacedRoomAtLeast = 64;

/** Messages that flow for a while. */
export class Traffic implements Load {
  readonly #plan: TrafficPlan;
  readonly #flow: Flow;
  readonly #lateness = new Histogram();

  constructor(plan: TrafficPlan, target: Target) {
    this.#plan = plan;
    this.#flow = new Flow(plan, roomPerPublisher(plan), target);
  }

  async prepare(): Promise<void> {
    await this.#flow.connectSubscribers('new');
    await this.#flow.connectPublishers();
    await this.#run(this.#plan.warmUpMs);
  }

  async measure(): Promise<LoadResult> {
    const { arrivals } = this.#flow;
    arrivals.restart();
    this.#lateness.clear();
    const startedAt = microsNow();
    const stopwatch = new Stopwatch();
    await this.#run(this.#plan.measureMs);
    return {
      units: arrivals.count,
      seconds: microsBetween(startedAt, arrivals.lastReadAt) / 1e6,
      p50Micros: arrivals.latency.quantile(0.5),
      p99Micros: arrivals.latency.quantile(0.99),
      p999Micros: arrivals.latency.quantile(0.999),
      pacerP99Micros: this.#lateness.quantile(0.99),
      loadCpuSeconds: stopwatch.cpuSeconds(),
      faults: this.#flow.faults(),
    };
  }

  async #run(durationMs: number): Promise<void> {
    const { tempo } = this.#plan;
    const stop = 'window' in tempo ? this.#runClosed() : this.#runPaced(tempo.perSecond);
    await new Promise((resolve) => setTimeout(resolve, durationMs));
    stop();
    await this.#flow.settled();
  }

  #runClosed(): () => void {
    const flow = this.#flow;
    const fill = (publishers: typeof flow.publishers): void => {
      const now = microsNow();
      for (const publisher of publishers) {
        const room = publisher.room();
        if (room > 0) publisher.send(room, now);
      }
    };
    flow.start(fill);
    fill(flow.publishers);
    return () => flow.stop();
  }

  /**
   * Sends what is due each ms, to the publishers in turn. The time in a message is that of the write: how late the
   * timer was is the load generator's fault and counted apart.
   */
  #runPaced(perSecond: number): () => void {
    const { publishers } = this.#flow;
    const startedAtMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - startedAtMs;
      const now = microsNow();
      while (sent < (elapsedMs * perSecond) / 1000) {
        const publisher = publishers[sent % publishers.length]!;
        if (publisher.room() === 0) return;
        this.#lateness.record(Math.max(0, Math.round((elapsedMs - (sent * 1000) / perSecond) * 1000)));
        publisher.send(1, now);
        sent += 1;
      }
    }, tickMs);
    return () => clearInterval(timer);
  }
}

function roomPerPublisher(plan: TrafficPlan): number {
  if ('window' in plan.tempo) return plan.tempo.window;
  const perPublisher = (plan.tempo.perSecond / plan.publishers / 1000) * pacedRoomMs;
  return Math.max(pacedRoomAtLeast, Math.ceil(perPublisher));
}
