import { Client, inParallel, type ClientRole } from './client.ts';
import { Histogram } from './histogram.ts';
import type { ConnectionsPlan, Load, LoadResult, Target } from './plan.ts';
import { microsBetween, microsNow, Stopwatch } from './stopwatch.ts';

/** Clients that connect and subscribe, to one own filter each. */
export class Connections implements Load {
  readonly #plan: ConnectionsPlan;
  readonly #target: Target;
  readonly #latency = new Histogram();
  #failure: string | undefined;

  constructor(plan: ConnectionsPlan, target: Target) {
    this.#plan = plan;
    this.#target = target;
  }

  async prepare(): Promise<void> {
    await this.#connect(this.#plan.warmUpConnections, 'warm', false);
  }

  async measure(): Promise<LoadResult> {
    const { connections, stay } = this.#plan;
    this.#latency.clear();
    const stopwatch = new Stopwatch();
    await this.#connect(connections, 'client', stay);
    if (this.#failure !== undefined) throw new Error(this.#failure);
    return {
      units: connections,
      seconds: stopwatch.seconds(),
      p50Micros: this.#latency.quantile(0.5),
      p99Micros: this.#latency.quantile(0.99),
      p999Micros: this.#latency.quantile(0.999),
      pacerP99Micros: null,
      loadCpuSeconds: stopwatch.cpuSeconds(),
      faults: { lost: 0, doubled: 0, reordered: 0, misrouted: 0 },
    };
  }

  #connect(count: number, name: string, stay: boolean): Promise<void> {
    const { host, ports } = this.#target;
    return inParallel(count, this.#plan.concurrency, async (index) => {
      const startedAt = microsNow();
      const port = ports[index % ports.length]!;
      const client = await Client.open({ host, port, clientId: `bench-${name}-${index}`, isClean: true }, this.#role());
      await client.subscribe(`bench/device/${name}-${index}/command`, 1);
      this.#latency.record(microsBetween(startedAt, microsNow()));
      if (!stay) await client.close();
    });
  }

  #role(): ClientRole {
    return {
      message: () => (this.#failure ??= 'a client received a message that nobody sent'),
      acknowledged: () => (this.#failure ??= 'a client got an acknowledgement of a message it never sent'),
      dropped: (reason) => (this.#failure ??= `a client lost its connection: ${reason}`),
    };
  }
}
