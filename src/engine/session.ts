import type { ProtocolVersion } from '../codec/packets.ts';
import type { QueueRef } from '../store/queues.ts';
import type { Connection } from './connection.ts';
import type { Delivery } from './delivery.ts';
import type { RetainedFeed } from './retained.ts';
import type { SubscriptionOptions } from './subscription.ts';

/** What this connection's will is, until it is sent or dropped. */
export interface WillOrder {
  readonly record: Buffer;
  readonly delaySeconds: number;
}

/** Changes of a session that wait for the next commit. */
export interface Settlement {
  /** sequence numbers acknowledged by PUBACK */
  acknowledged: number[];
  /** sequence numbers received by PUBREC: PUBREL goes out when this is committed */
  received: number[];
  /** packet identifiers completed by PUBCOMP */
  completed: number[];
  /** incoming packet identifiers released by PUBREL: PUBCOMP goes out when this is committed */
  forgotten: number[];
}

/**
 * A session as the node that owns it holds it, from its CONNECT until it is let go.
 *
 * `isPersistent`: its queue is in the store, and what its client acknowledges is committed there. Otherwise it ends with its
 * connection and its queue is in this node's memory. `isOver`: this node serves it no more, whatever still refers to it.
 */
export class Session {
  readonly clientId: string;
  readonly epoch: number;
  readonly version: ProtocolVersion;
  isPersistent: boolean;
  readonly queue: QueueRef;
  readonly connection: Connection;
  readonly subscriptions = new Map<string, SubscriptionOptions>();
  /** identifiers of incoming QoS 2 messages: true once committed, until then a repetition is not answered; null = none ever */
  incoming: Map<number, boolean> | null = null;
  /** identifiers of incoming QoS 2 messages are noted in the store too */
  isNoted: boolean;
  /** incoming QoS 1 and 2 messages that are not yet acknowledged by us (QoS 2: by PUBCOMP) [MQTT 5, 3.3.4] */
  receiving = 0;
  /** incoming messages that are in a commit, or wait for one */
  committing = 0;
  settlement: Settlement | null = null;
  expirySeconds: number;
  will: WillOrder | null;
  delivery!: Delivery;
  /** retained messages on their way to new subscriptions; null when there are none */
  feed: RetainedFeed | null = null;
  isOver = false;
  /** this life of the node is over: nothing of the session may be written */
  isLost = false;
  /** resolves when the session was let go; null while it is served */
  left: Promise<void> | null = null;

  constructor(
    connection: Connection,
    clientId: string,
    epoch: number,
    version: ProtocolVersion,
    isPersistent: boolean,
    queue: QueueRef,
    expirySeconds: number,
    will: WillOrder | null,
  ) {
    this.connection = connection;
    this.clientId = clientId;
    this.epoch = epoch;
    this.version = version;
    this.isPersistent = isPersistent;
    this.isNoted = isPersistent;
    this.queue = queue;
    this.expirySeconds = expirySeconds;
    this.will = will;
  }

  /** What the next commit does for this session. */
  settle(): Settlement {
    return (this.settlement ??= { acknowledged: [], received: [], completed: [], forgotten: [] });
  }
}
