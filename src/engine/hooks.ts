import type { Message } from '../base/message.ts';
import type { Connect } from '../codec/connect.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';
import type { SubscribeRequest } from '../codec/subscribe.ts';

/** A decision that is there at once, or comes later. */
export type Decision<T> = T | Promise<T>;

/**
 * Where the engine asks and tells the outside. A member that is null costs nothing: the engine looks before it prepares
 * anything. Decisions that are there at once are taken without a promise.
 */
export interface Hooks {
  /** Throws or rejects to refuse the connection before anything is checked. */
  readonly preConnect: ((connection: Connection, connect: Connect) => Decision<void>) | null;
  /** Throws or rejects with `bad-credentials` or `not-authorized` to refuse. */
  readonly authenticate: ((connection: Connection, connect: Connect) => Decision<void>) | null;
  /** Throws or rejects to refuse the message; may give it changed. */
  readonly authorizePublish: ((connection: Connection, message: Message) => Decision<Message>) | null;
  /** Gives the request to carry out, or null to refuse it. */
  readonly authorizeSubscribe: ((connection: Connection, request: SubscribeRequest) => Decision<SubscribeRequest | null>) | null;
  /** Whether this connected client may have the message. Not asked for messages that come from a stored queue of another node. */
  readonly authorizeForward: ((connection: Connection, message: Message) => boolean) | null;
  readonly onPublished: ((message: Message, session: Session | null) => void) | null;
  readonly onConnected: ((connection: Connection, sessionPresent: boolean) => void) | null;
  readonly onClosed: ((connection: Connection, error: Error | null) => void) | null;
  readonly onSubscribed: ((connection: Connection, requests: readonly SubscribeRequest[]) => void) | null;
  readonly onUnsubscribed: ((connection: Connection, filters: readonly string[]) => void) | null;
  readonly onPing: ((connection: Connection) => void) | null;
  readonly onAcknowledged: ((connection: Connection, packetId: number) => void) | null;
}

export const noHooks: Hooks = {
  preConnect: null,
  authenticate: null,
  authorizePublish: null,
  authorizeSubscribe: null,
  authorizeForward: null,
  onPublished: null,
  onConnected: null,
  onClosed: null,
  onSubscribed: null,
  onUnsubscribed: null,
  onPing: null,
  onAcknowledged: null,
};
