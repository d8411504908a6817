import type { Clock } from '../base/clock.ts';
import { asBrokerError } from '../base/errors.ts';
import { LogLimiter, type Logger } from '../base/log.ts';
import type { BridgeMeters } from './meters.ts';

const texts = {
  store: 'the store does not answer for the outbox',
  kafka: 'Kafka does not take records; they stay in the outbox',
} as const;

/** What goes wrong and is tried again: counted each time, logged once a minute for each reason. */
export class Complaints {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #meters: BridgeMeters;
  readonly #limiter = new LogLimiter();

  constructor(clock: Clock, log: Logger, meters: BridgeMeters) {
    this.#clock = clock;
    this.#log = log;
    this.#meters = meters;
  }

  /** `isNews`: false when it is too early to tell anybody. */
  about(who: 'store' | 'kafka', thrown: unknown, isNews = true): void {
    this.#meters.failures.of(who).value++;
    const { code, message } = asBrokerError(thrown);
    if (isNews) this.say(`${who} ${code}`, { code, reason: message }, texts[who]);
  }

  say(key: string, fields: Record<string, unknown>, text: string): void {
    const held = this.#limiter.pass(key, this.#clock.monotonic());
    if (held >= 0) this.#log.warn({ ...fields, held }, text);
  }
}
