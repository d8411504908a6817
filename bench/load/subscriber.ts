import type { ClientRole } from './client.ts';
import { wordAt } from './frames.ts';
import { Histogram } from './histogram.ts';
import { payloadHead } from './packets.ts';
import type { FlowEvents, Publisher } from './publisher.ts';
import { receiptsFor, type Receipts } from './receipts.ts';
import { microsBetween } from './stopwatch.ts';
import type { Messages } from './plan.ts';

/** What all subscribers of a load have received. */
export class Arrivals {
  readonly receipts: Receipts;
  readonly latency = new Histogram();
  count = 0;
  /** When the latest message was read, by `microsNow`. */
  lastReadAt = 0;

  constructor(messages: Messages) {
    this.receipts = receiptsFor(messages);
  }

  /** Counts and times anew; what was received before stays in the receipts. */
  restart(): void {
    this.count = 0;
    this.latency.clear();
  }
}

/** Reads the head of each message it receives, notes it, and tells its publisher. */
export class Subscriber implements ClientRole {
  readonly #index: number;
  readonly #arrivals: Arrivals;
  readonly #publishers: readonly Publisher[];
  readonly #events: FlowEvents;

  constructor(index: number, arrivals: Arrivals, publishers: readonly Publisher[], events: FlowEvents) {
    this.#index = index;
    this.#arrivals = arrivals;
    this.#publishers = publishers;
    this.#events = events;
  }

  message(buffer: Buffer, payloadAt: number, readAt: number): void {
    const index = wordAt(buffer, payloadAt + payloadHead.publisherAt);
    const arrivals = this.#arrivals;
    arrivals.count += 1;
    arrivals.lastReadAt = readAt;
    arrivals.latency.record(microsBetween(wordAt(buffer, payloadAt + payloadHead.sentAt), readAt));
    arrivals.receipts.record(this.#index, index, wordAt(buffer, payloadAt + payloadHead.sequenceAt));
    this.#publishers[index]?.receivedCopy();
  }

  acknowledged(): void {
    throw new Error(`subscriber ${this.#index} got an acknowledgement of a message it never sent`);
  }

  dropped(reason: string): void {
    this.#events.dropped(`subscriber ${this.#index}`, reason);
  }
}
