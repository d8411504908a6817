import type { Clock } from '../../base/clock.ts';
import type { Due } from '../due.ts';
import { Reminders } from './reminders.ts';

export class MemoryDue implements Due {
  readonly #clock: Clock;
  readonly #reminders = { sessions: new Reminders(), wills: new Reminders() };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async remind(what: 'sessions' | 'wills', clientId: string, inMs: number): Promise<void> {
    this.#reminders[what].set(clientId, this.#clock.monotonic() + inMs);
  }

  async ripe(what: 'sessions' | 'wills', count: number): Promise<string[]> {
    return this.#reminders[what].until(this.#clock.monotonic(), count);
  }

  async done(what: 'sessions' | 'wills', clientId: string): Promise<void> {
    this.#reminders[what].done(clientId, this.#clock.monotonic());
  }
}
