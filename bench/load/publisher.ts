import { type Client, type ClientRole } from './client.ts';
import { PublishRing } from './packets.ts';
import { copiesOf, topicOf } from './receipts.ts';
import type { Messages } from './plan.ts';

/** What the flow is told about by its publishers and subscribers. */
export interface FlowEvents {
  /** Something came back for this publisher: its window may have room again. */
  returned(publisher: Publisher): void;
  dropped(who: string, reason: string): void;
}

/** Sends one publisher's sequence and counts what comes back of it. */
export class Publisher implements ClientRole {
  readonly #index: number;
  readonly #ring: PublishRing;
  readonly #copies: number;
  readonly #awaitsAcknowledgements: boolean;
  readonly #events: FlowEvents;
  #client: Client | undefined;
  /** Waits in the flow's list of publishers that got something back. */
  isListed = false;
  sent = 0;
  acknowledgements = 0;
  /** Copies received by subscribers. */
  received = 0;

  constructor(index: number, messages: Messages, window: number, events: FlowEvents) {
    this.#index = index;
    this.#ring = new PublishRing(index, topicOf(messages, index), messages.qos, messages.payloadBytes, window);
    this.#copies = copiesOf(messages);
    this.#awaitsAcknowledgements = messages.qos > 0;
    this.#events = events;
  }

  useClient(client: Client): void {
    this.#client = client;
  }

  /** How many messages may be sent now, when a message is back that was received and (QoS > 0) acknowledged. */
  room(): number {
    const received = Math.floor(this.received / this.#copies);
    return this.#ring.slots - this.sent + Math.min(received, this.#acknowledged());
  }

  /** How many messages may be sent now, when a message is back that was acknowledged: nobody receives yet. */
  roomToStore(): number {
    return this.#ring.slots - this.sent + this.#acknowledged();
  }

  /** Sends `count` messages, which is at most `room`, in one write (two where the ring wraps). */
  send(count: number, nowMicros: number): void {
    const from = this.sent;
    for (let sequence = from; sequence < from + count; sequence++) this.#ring.stamp(sequence, nowMicros);
    for (const piece of this.#ring.pieces(from, count)) this.#client?.send(piece);
    this.sent = from + count;
  }

  acknowledged(): void {
    this.acknowledgements += 1;
    this.#events.returned(this);
  }

  receivedCopy(): void {
    this.received += 1;
    this.#events.returned(this);
  }

  message(): void {
    throw new Error(`publisher ${this.#index} received a message`);
  }

  dropped(reason: string): void {
    this.#events.dropped(`publisher ${this.#index}`, reason);
  }

  #acknowledged(): number {
    return this.#awaitsAcknowledgements ? this.acknowledgements : this.sent;
  }
}
