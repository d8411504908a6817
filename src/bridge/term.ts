import { BrokerError } from '../base/errors.ts';

/**
 * One time of leading an outbox, from the election to the end of the lease.
 *
 * on       work goes on; `untilMs`, on this node's monotonic clock, is pushed further by each renewal.
 * leaving  what is on its way is finished, nothing new is begun. Entered by `leave`.
 * over     the outbox may belong to another node. Entered by `end`; whatever waits is woken up.
 */
export class Term {
  readonly token: number;
  untilMs: number;
  #state: 'on' | 'leaving' | 'over' = 'on';
  #wake: () => void = () => undefined;

  constructor(token: number, untilMs: number) {
    this.token = token;
    this.untilMs = untilMs;
  }

  get isOn(): boolean {
    return this.#state === 'on';
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  leave(): void {
    if (this.#state !== 'on') return;
    this.#state = 'leaving';
    this.#wake();
  }

  end(): void {
    this.#state = 'over';
    this.#wake();
  }

  /** Throws `fenced` once the term is over. */
  expectLead(): void {
    if (this.isOver) throw new BrokerError('fenced', 'another node leads the outbox');
  }

  /** Waits; less when the term is over or to be left. There is one waiter at a time. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}
