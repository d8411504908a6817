import type { Metrics } from '../base/metrics.ts';

interface Waiting {
  readonly isWanted: () => boolean;
  readonly answer: (hasPlace: boolean) => void;
}

/**
 * Slow hashes, a few at a time in the threads of the runtime; the others wait in order. Whoever would have to wait behind
 * `maxWaiting` others is turned away.
 */
export class HashQueue {
  readonly #places: number;
  readonly #maxWaiting: number;
  #taken = 0;
  #waiting: Waiting[] = [];

  constructor(places: number, maxWaiting: number, metrics: Metrics) {
    this.#places = places;
    this.#maxWaiting = maxWaiting;
    metrics.gauge('swarmq_auth_waiting', 'Passwords that wait to be checked', () => this.#waiting.length);
  }

  /** What `work` gives; null when there is no room, or when nobody wants it any more by its turn. */
  async run<T>(work: () => Promise<T>, isWanted: () => boolean): Promise<T | null> {
    if (this.#taken < this.#places) this.#taken++;
    else if (!(await this.#turn(isWanted))) return null;
    try {
      return await work();
    } finally {
      this.#handOn();
    }
  }

  #turn(isWanted: () => boolean): Promise<boolean> {
    if (this.#waiting.length >= this.#maxWaiting) this.#dismissUnwanted();
    if (this.#waiting.length >= this.#maxWaiting) return Promise.resolve(false);
    return new Promise((answer) => {
      this.#waiting.push({ isWanted, answer });
    });
  }

  #handOn(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const isWanted = next.isWanted();
      next.answer(isWanted);
      if (isWanted) return;
    }
    this.#taken--;
  }

  #dismissUnwanted(): void {
    const wanted = this.#waiting.filter(({ isWanted }) => isWanted());
    for (const one of this.#waiting) if (!wanted.includes(one)) one.answer(false);
    this.#waiting = wanted;
  }
}
