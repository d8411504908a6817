import { Ledger, SharedLedger, type Faults } from './ledger.ts';
import type { Messages, Pattern } from './plan.ts';

/** The topics and filters of a pattern. */
export function topicOf(messages: Messages, publisher: number): string {
  return messages.pattern === 'fan-in'
    ? `bench/to/${publisher % messages.subscribers}/from/${publisher}`
    : `bench/from/${publisher}`;
}

export function filterOf(messages: Messages, subscriber: number): string {
  const filters: Record<Pattern, string> = {
    pairs: `bench/from/${subscriber}`,
    'fan-out': 'bench/from/+',
    'fan-in': `bench/to/${subscriber}/from/+`,
    'fan-in-shared': '$share/bench/bench/from/+',
  };
  return filters[messages.pattern];
}

/** How many subscribers receive each message. */
export function copiesOf(messages: Messages): number {
  return messages.pattern === 'fan-out' ? messages.subscribers : 1;
}

/** Checks every message that is received against its pattern: to whom, once, in order. */
export interface Receipts {
  record(subscriber: number, publisher: number, sequence: number): void;
  /** `sent` gives the number of messages each publisher has sent. */
  faults(sent: readonly number[]): Faults;
}

export function receiptsFor(messages: Messages): Receipts {
  if (messages.pattern === 'fan-in-shared') return new SharedReceipts(messages);
  if (messages.pattern === 'fan-out') return new CopiedReceipts(messages);
  return new SingleReceipts(messages);
}

/** Each publisher has one subscriber. */
class SingleReceipts implements Receipts {
  readonly #ledger: Ledger;
  readonly #subscribers: number;
  #misrouted = 0;

  constructor(messages: Messages) {
    this.#ledger = new Ledger(messages.publishers);
    this.#subscribers = messages.subscribers;
  }

  record(subscriber: number, publisher: number, sequence: number): void {
    if (publisher % this.#subscribers === subscriber) this.#ledger.record(publisher, sequence);
    else this.#misrouted += 1;
  }

  faults(sent: readonly number[]): Faults {
    const lost = sum(sent.map((count, publisher) => this.#ledger.lost(publisher, count)));
    return { lost, doubled: this.#ledger.doubled, reordered: this.#ledger.reordered, misrouted: this.#misrouted };
  }
}

/** Each subscriber receives from every publisher. */
class CopiedReceipts implements Receipts {
  readonly #ledger: Ledger;
  readonly #publishers: number;
  readonly #subscribers: number;

  constructor(messages: Messages) {
    this.#ledger = new Ledger(messages.publishers * messages.subscribers);
    this.#publishers = messages.publishers;
    this.#subscribers = messages.subscribers;
  }

  record(subscriber: number, publisher: number, sequence: number): void {
    this.#ledger.record(subscriber * this.#publishers + publisher, sequence);
  }

  faults(sent: readonly number[]): Faults {
    let lost = 0;
    for (let subscriber = 0; subscriber < this.#subscribers; subscriber++) {
      lost += sum(sent.map((count, publisher) => this.#ledger.lost(subscriber * this.#publishers + publisher, count)));
    }
    return { lost, doubled: this.#ledger.doubled, reordered: this.#ledger.reordered, misrouted: 0 };
  }
}

/** The subscribers are members of one group. */
class SharedReceipts implements Receipts {
  readonly #ledger: SharedLedger;

  constructor(messages: Messages) {
    this.#ledger = new SharedLedger(messages.publishers, messages.subscribers);
  }

  record(subscriber: number, publisher: number, sequence: number): void {
    this.#ledger.record(subscriber, publisher, sequence);
  }

  faults(sent: readonly number[]): Faults {
    const lost = sum(sent.map((count, publisher) => this.#ledger.lost(publisher, count)));
    return { lost, doubled: this.#ledger.doubled, reordered: this.#ledger.reordered, misrouted: 0 };
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
