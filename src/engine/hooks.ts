import type { BrokerError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import type { Connect } from '../codec/connect.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';
import type { SubscribeRequest } from '../codec/subscribe.ts';

/** A decision that is there at once, or comes later. */
export type Decision<T> = T | Promise<T>;

/** What the server says next in an exchange of enhanced authentication. */
export interface ExchangeStep {
  readonly data: Buffer | null;
  /** the client has proven who it is; otherwise this is a challenge that it has to answer */
  readonly isLast: boolean;
}

/** One exchange of enhanced authentication [MQTT 5, 4.12]. `step` throws or rejects to refuse. */
export interface Exchange {
  step(data: Buffer | null): Decision<ExchangeStep>;
}

/**
 * Where the engine asks and tells the outside. A member that is null costs nothing: the engine looks before it prepares
 * anything. Decisions that are there at once are taken without a promise.
 */
export interface Hooks {
  /** Throws or rejects to drop the connection without a word, before anything is checked. May change what it is shown. */
  readonly preConnect: ((connection: Connection, connect: Connect) => Decision<void>) | null;
  /** Throws or rejects with `bad-credentials` or `not-authorized` to refuse. */
  readonly authenticate: ((connection: Connection, connect: Connect) => Decision<void>) | null;
  /**
   * Begins an exchange of this method, in place of `authenticate`. `connect` is null for one that a connected client begins.
   * Throws `bad-authentication-method` when it is not spoken here. Null: no method is.
   */
  readonly beginExchange: ((connection: Connection, method: string, connect: Connect | null) => Exchange) | null;
  /**
   * Throws or rejects to refuse the message; may give it changed, except its QoS. Also asked for a will when it is due; then
   * `connection` is the one that left it, or null when another node served it or it was delayed.
   */
  readonly authorizePublish: ((connection: Connection | null, message: Message) => Decision<Message>) | null;
  /**
   * Gives the request to carry out, or null to refuse it. Also asked when a stored session comes back; then the answer
   * decides only whether the subscription stays.
   */
  readonly authorizeSubscribe: ((connection: Connection, request: SubscribeRequest) => Decision<SubscribeRequest | null>) | null;
  /** Asked when a message is about to be sent to a client: gives it, or another topic and payload in its place, or null. */
  readonly authorizeForward: ((connection: Connection, message: Message) => Message | null) | null;
  /** The message was accepted: QoS 0 on its arrival, QoS 1 and 2 once committed. */
  readonly onPublished: ((message: Message, session: Session | null) => void) | null;
  /** The session is this connection's; CONNACK is next. */
  readonly onClaimed: ((connection: Connection) => void) | null;
  /** CONNACK goes out, with this reason code of MQTT 5 or return code of MQTT 3. */
  readonly onConnack: ((connection: Connection, reason: number, sessionPresent: boolean) => void) | null;
  readonly onConnected: ((connection: Connection) => void) | null;
  /** `error` null: the client ended it by itself. */
  readonly onClosed: ((connection: Connection, error: BrokerError | null) => void) | null;
  /** The requests as they were carried out, or as they came when refused, and the reason code of each. */
  readonly onSubscribed: ((connection: Connection, requests: readonly SubscribeRequest[], codes: readonly number[]) => void) | null;
  readonly onUnsubscribed: ((connection: Connection, filters: readonly string[]) => void) | null;
  readonly onPing: ((connection: Connection) => void) | null;
  /** The client has the message: at its PUBACK (`message` is what was sent to it), or PUBCOMP (`message` is null). */
  readonly onAcknowledged: ((connection: Connection, packetId: number, message: Message | null) => void) | null;
}

export const noHooks: Hooks = {
  preConnect: null,
  authenticate: null,
  beginExchange: null,
  authorizePublish: null,
  authorizeSubscribe: null,
  authorizeForward: null,
  onPublished: null,
  onClaimed: null,
  onConnack: null,
  onConnected: null,
  onClosed: null,
  onSubscribed: null,
  onUnsubscribed: null,
  onPing: null,
  onAcknowledged: null,
};
