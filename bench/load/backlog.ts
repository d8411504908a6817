import { Flow } from './flow.ts';
import type { BacklogPlan, Load, LoadResult, Target } from './plan.ts';
import type { Publisher } from './publisher.ts';
import { microsBetween, microsNow, Stopwatch } from './stopwatch.ts';

/** Messages stored while their subscribers are away; measured is how they come when the subscribers are back. */
export class Backlog implements Load {
  readonly #plan: BacklogPlan;
  readonly #flow: Flow;

  constructor(plan: BacklogPlan, target: Target) {
    this.#plan = plan;
    this.#flow = new Flow(plan, plan.window, target);
  }

  async prepare(): Promise<void> {
    const flow = this.#flow;
    await flow.connectSubscribers('new');
    await flow.disconnectSubscribers();
    await flow.connectPublishers();
    flow.start((publishers) => this.#fill(publishers));
    this.#fill(flow.publishers);
    await flow.settled(() => flow.acknowledged === this.#plan.messages);
    flow.stop();
    if (flow.acknowledged !== this.#plan.messages) {
      throw new Error(`only ${flow.acknowledged} of ${this.#plan.messages} messages for a session away were acknowledged`);
    }
  }

  async measure(): Promise<LoadResult> {
    const { arrivals } = this.#flow;
    const startedAt = microsNow();
    const stopwatch = new Stopwatch();
    await this.#flow.connectSubscribers('stored');
    await this.#flow.settled();
    return {
      units: arrivals.count,
      seconds: microsBetween(startedAt, arrivals.lastReadAt) / 1e6,
      // A message's age at delivery says how long its subscriber was away.
      p50Micros: null,
      p99Micros: null,
      p999Micros: null,
      pacerP99Micros: null,
      loadCpuSeconds: stopwatch.cpuSeconds(),
      faults: this.#flow.faults(),
    };
  }

  #fill(publishers: readonly Publisher[]): void {
    const share = Math.ceil(this.#plan.messages / this.#plan.publishers);
    const now = microsNow();
    for (const publisher of publishers) {
      const count = Math.min(publisher.roomToStore(), share - publisher.sent);
      if (count > 0) publisher.send(count, now);
    }
  }
}
