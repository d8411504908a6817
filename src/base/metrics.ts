import { Counter as PromCounter, Gauge as PromGauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/**
 * A number that only grows. Plain on purpose: the hot path writes `counter.value++`; Prometheus reads it when asked.
 */
export interface Counter {
  value: number;
}

/** Counters that differ in one label. */
export interface Counters<Value extends string> {
  /** The one with this value of the label, made when it is not there yet. */
  of(value: Value): Counter;
  /** All of them together. */
  total(): number;
}

/** The metrics of one node: plain numbers here, a Prometheus page on request. Names are `swarmq_<noun>_<unit>`. */
export class Metrics {
  readonly registry = new Registry();

  constructor(labels: Record<string, string> = {}) {
    this.registry.setDefaultLabels(labels);
  }

  counter(name: string, help: string): Counter {
    const plain: Counter = { value: 0 };
    const prom: PromCounter = new PromCounter({
      name,
      help,
      registers: [this.registry],
      collect: () => {
        prom.reset();
        prom.inc(plain.value);
      },
    });
    return plain;
  }

  /** Counters that differ in one label, from a closed set of values. */
  counters<Value extends string = string>(name: string, help: string, label: string): Counters<Value> {
    const plain = new Map<Value, Counter>();
    const prom: PromCounter = new PromCounter({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect: () => {
        prom.reset();
        for (const [value, counter] of plain) prom.inc({ [label]: value }, counter.value);
      },
    });
    return {
      of(value) {
        let counter = plain.get(value);
        if (counter === undefined) plain.set(value, (counter = { value: 0 }));
        return counter;
      },
      total() {
        let sum = 0;
        for (const { value } of plain.values()) sum += value;
        return sum;
      },
    };
  }

  /** A number that goes up and down, read from its source when asked. */
  gauge(name: string, help: string, read: () => number): void {
    const prom: PromGauge = new PromGauge({
      name,
      help,
      registers: [this.registry],
      collect: () => {
        prom.set(read());
      },
    });
  }

  /** A distribution, in the unit its name ends with. */
  histogram(name: string, help: string, buckets: number[]): { observe(value: number): void } {
    return new Histogram({ name, help, buckets, registers: [this.registry] });
  }

  /** The runtime's own figures (memory, event loop, descriptors). */
  watchRuntime(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  page(): Promise<string> {
    return this.registry.metrics();
  }
}
