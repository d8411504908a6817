import type { Clock } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { OutboxRef, Outboxes } from '../store/outboxes.ts';
import type { Complaints } from './complaints.ts';
import { Term } from './term.ts';

export interface CampaignOptions {
  readonly outbox: OutboxRef;
  readonly outboxes: Outboxes;
  /** this life of the node, as the other candidates know it */
  readonly node: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly complaints: Complaints;
  readonly log: Logger;
}

/** What a leader does. `serve` returns when the term is over or leaves; `cut` makes it do so soon, whatever it waits for. */
export interface Service {
  serve(term: Term): Promise<void>;
  cut(): void;
}

type State = 'stopped' | 'campaigning' | 'leading' | 'resigning';

/**
 * One node's standing for the lead of an outbox.
 *
 * stopped      nothing runs. Left by `start`.
 * campaigning  another node leads, or the store is away. Asks for the lead every third of a lease; holds nothing.
 * leading      holds a term, whose lease is renewed every third of it, and serves. Left for campaigning when the store names
 *              another leader, when the service finds itself fenced, or when by this node's own clock the lease has run out.
 * resigning    `stop` was called. The service has its grace to finish; then the lead is given up, so that another node goes
 *              on at once; to stopped.
 */
export class Campaign {
  readonly #options: CampaignOptions;
  readonly #service: Service;
  #state: State = 'stopped';
  #term: Term | null = null;
  #life: Promise<void> = Promise.resolve();
  #hurry: () => void = () => undefined;

  constructor(options: CampaignOptions, service: Service) {
    this.#options = options;
    this.#service = service;
  }

  /** The term that this node serves, null while it does not lead. */
  get term(): Term | null {
    return this.#term;
  }

  start(): void {
    if (this.#state !== 'stopped') throw new BrokerError('internal', `a campaign that is ${this.#state} cannot start`);
    this.#enter('campaigning');
    this.#life = this.#run();
  }

  /** What is on its way may take the grace to finish; then it is cut off. Resolves soon after, at most the store's timeout later. */
  async stop(graceMs: number): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#enter('resigning');
    this.#hurry();
    this.#term?.leave();
    const patience = setTimeout(() => {
      if (this.#term !== null) this.#end(this.#term);
    }, graceMs);
    await this.#life;
    clearTimeout(patience);
  }

  async #run(): Promise<void> {
    const { outboxes, outbox, node, leaseMs, clock, complaints } = this.#options;
    while (this.#is('campaigning')) {
      const asked = clock.monotonic();
      try {
        const token = await outboxes.lead(outbox, node, leaseMs);
        if (token !== null) {
          await this.#lead(new Term(token, asked + leaseMs));
          continue;
        }
      } catch (error) {
        complaints.about('store', error);
      }
      await this.#pause(leaseMs / 3);
    }
    this.#enter('stopped');
  }

  async #lead(term: Term): Promise<void> {
    const { outboxes, outbox, leaseMs, log } = this.#options;
    this.#term = term;
    if (this.#is('campaigning')) this.#enter('leading');
    else term.leave();
    log.info({ outbox, token: term.token }, 'leads the outbox');
    const renewal = setInterval(() => void this.#renew(term), leaseMs / 3);
    try {
      await this.#service.serve(term);
    } finally {
      clearInterval(renewal);
      term.end();
      this.#term = null;
      log.info({ outbox, token: term.token }, 'leads the outbox no more');
      if (this.#is('leading')) this.#enter('campaigning');
    }
    // under a lost token this does nothing
    await outboxes.resign(outbox, term.token);
  }

  async #renew(term: Term): Promise<void> {
    const { outboxes, outbox, node, leaseMs, clock, complaints } = this.#options;
    const asked = clock.monotonic();
    if (asked >= term.untilMs) {
      this.#end(term);
      return;
    }
    try {
      const token = await outboxes.lead(outbox, node, leaseMs);
      if (token === term.token) term.untilMs = asked + leaseMs;
      else this.#end(term);
    } catch (error) {
      complaints.about('store', error);
    }
  }

  #end(term: Term): void {
    if (term.isOver) return;
    term.end();
    this.#service.cut();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#is('campaigning')) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #is(state: State): boolean {
    return this.#state === state;
  }

  #enter(state: State): void {
    this.#state = state;
  }
}
