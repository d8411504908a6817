import type { Clock } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';

/** What waits for its turn; whoever has gone meanwhile takes nobody's place. */
interface Arrival {
  readonly state: string;
}

interface Waiting {
  readonly arrival: Arrival;
  readonly enter: () => void;
}

/** How much of a second's admissions may come at the same moment after a quiet time. */
const burstSeconds = 0.1;
const stepMs = 10;

/**
 * The rate at which this node answers CONNECT, so that a storm of clients that lost their node does not slow down those that
 * are connected: authentication, the claim of a session and its subscriptions are the most expensive things a client asks for.
 *
 * A token bucket: `mqtt.connectsPerSecond`, a tenth of a second's worth at once. Who comes over the rate waits, in order; over
 * `mqtt.maxWaitingConnects` it is refused and comes back later. Waiting ends with `mqtt.connectTimeoutMs`, as any opening does.
 */
export class Admission {
  readonly #limits: { readonly connectsPerSecond: number; readonly maxWaitingConnects: number };
  readonly #clock: Clock;
  readonly #refused: { value: number };
  #waiting: Waiting[] = [];
  #tokens: number;
  #filledAt: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(limits: { readonly connectsPerSecond: number; readonly maxWaitingConnects: number }, clock: Clock, metrics: Metrics) {
    this.#limits = limits;
    this.#clock = clock;
    this.#tokens = this.#most;
    this.#filledAt = clock.monotonic();
    this.#refused = metrics.counter('swarmq_connects_refused_total', 'CONNECTs refused because more came than this node takes in a second');
    metrics.gauge('swarmq_connects_waiting', 'CONNECTs that wait for their turn', () => this.#waiting.length);
  }

  /** Null: come in. Else resolves when its turn has come. Throws `quota-exceeded` when too many wait already. */
  enter(arrival: Arrival): Promise<void> | null {
    this.#fill();
    if (this.#waiting.length === 0 && this.#tokens >= 1) {
      this.#tokens--;
      return null;
    }
    if (this.#waiting.length >= this.#limits.maxWaitingConnects) {
      this.#refused.value++;
      throw new BrokerError('quota-exceeded', `this node takes ${this.#limits.connectsPerSecond} connects per second: connect again later`);
    }
    return new Promise((resolve) => {
      this.#waiting.push({ arrival, enter: resolve });
      this.#timer ??= setInterval(() => {
        this.#letIn();
      }, stepMs);
    });
  }

  get #most(): number {
    return Math.max(1, this.#limits.connectsPerSecond * burstSeconds);
  }

  #fill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#most, this.#tokens + ((now - this.#filledAt) * this.#limits.connectsPerSecond) / 1000);
    this.#filledAt = now;
  }

  #letIn(): void {
    this.#fill();
    let next = 0;
    for (; next < this.#waiting.length; next++) {
      const { arrival, enter } = this.#waiting[next]!;
      if (arrival.state !== 'closed') {
        if (this.#tokens < 1) break;
        this.#tokens--;
      }
      enter();
    }
    this.#waiting.splice(0, next);
    if (this.#waiting.length > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
