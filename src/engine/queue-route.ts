import type { Qos } from '../base/message.ts';
import type { QueueRef } from '../store/queues.ts';
import { decodeOptions, type SubscriptionOptions } from './subscription.ts';

/** Options, and the same as they stand at the head of a queued message. */
export interface QueueOptions extends SubscriptionOptions {
  readonly head: Buffer;
}

/**
 * A subscription of a persistent session, as it is kept for every one of the cluster: 40 B and the client id. With the options
 * and the prepared queue of its own each one took 380 B more.
 */
export interface StoredQueueRoute {
  readonly clientId: string;
  readonly options: QueueOptions;
}

/** Whose queue a message goes into, and how it stands there. */
export interface QueueTarget extends QueueOptions {
  readonly clientId: string;
  readonly queue: QueueRef;
}

/** A subscription of a persistent session, wherever its client is: QoS 1 and 2 go into its queue. */
export class QueueRoute implements QueueTarget {
  readonly clientId: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly ids: Buffer;
  readonly head: Buffer;
  readonly #refer: (clientId: string) => QueueRef;
  #queue: QueueRef | null = null;

  constructor(clientId: string, options: QueueOptions, refer: (clientId: string) => QueueRef) {
    this.clientId = clientId;
    this.qos = options.qos;
    this.noLocal = options.noLocal;
    this.retainAsPublished = options.retainAsPublished;
    this.ids = options.ids;
    this.head = options.head;
    this.#refer = refer;
  }

  /** Made when a message needs it: QoS 0 does not, and preparing it takes 1 us. */
  get queue(): QueueRef {
    return (this.#queue ??= this.#refer(this.clientId));
  }
}

const sharedAtMost = 1000;

/** Options of which a fleet has a handful for a million subscriptions, each kept once. */
export class SharedOptions {
  readonly #byBytes = new Map<string, QueueOptions>();

  /** Throws `store-corrupt` when the bytes are no options. */
  of(bytes: Buffer): QueueOptions {
    const key = bytes.toString('latin1');
    const known = this.#byBytes.get(key);
    if (known !== undefined) return known;
    // copied: the bytes are a piece of a reply of Redis, which they would keep as a whole
    const head = Buffer.from(bytes);
    const options = { head, ...decodeOptions(head) };
    if (this.#byBytes.size < sharedAtMost) this.#byBytes.set(key, options);
    return options;
  }
}
