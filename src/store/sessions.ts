import type { ProtocolVersion } from '../codec/packets.ts';

/** Session expiry that never comes [MQTT 5, 3.1.2.11.2]. */
export const neverExpires = 0xffffffff;

export interface ClaimRequest {
  readonly clientId: string;
  /** the incarnation that serves the client from now on */
  readonly owner: string;
}

/** A claim that stands: the epoch that every later write of the owner names. */
export interface Claim {
  readonly epoch: number;
  /** who served the client until now and has not let go yet, perhaps the claimer itself; null when nobody */
  readonly former: string | null;
}

export interface OpenRequest {
  readonly clientId: string;
  readonly epoch: number;
  readonly cleanStart: boolean;
  readonly protocol: ProtocolVersion;
  /** seconds that the session lives on after its connection; 0 = ends with it, `neverExpires` */
  readonly expirySeconds: number;
  /** the will as a record, null for none */
  readonly will: Buffer | null;
  readonly willDelaySeconds: number;
}

/** One subscription as it is kept: `options` is what the engine encoded, opaque here. */
export interface StoredSubscription {
  readonly filter: string;
  readonly options: Buffer;
}

/** What was left behind, for whoever has to tidy up: by a session that is no more, or by a connection whose node died. */
export interface EndedSession {
  /** the subscriptions that are no more */
  readonly subscriptions: readonly StoredSubscription[];
  /** a will that is due now and is not kept any more, null for none */
  readonly will: Buffer | null;
}

export interface ExpiredSession extends EndedSession {
  /** the last epoch that it had */
  readonly epoch: number;
}

export interface OpenedSession {
  /** whether an earlier session goes on [MQTT-3.2.2-2] */
  readonly present: boolean;
  readonly subscriptions: readonly StoredSubscription[];
  /** packet identifiers of incoming QoS 2 messages that await PUBREL */
  readonly incoming: readonly number[];
  /** packet identifiers of outgoing QoS 2 messages that await PUBCOMP */
  readonly released: readonly number[];
  /** every queued message up to this sequence number was perhaps sent before; the owner's last word, see `release` */
  readonly sentUpTo: number;
  /** whether the former owner let go in order, so that `sentUpTo` is exact; otherwise a whole window may have been sent */
  readonly releasedInOrder: boolean;
  /**
   * What is left to tidy up of the earlier session when clean start ended it or it had expired, null when there was none. Its
   * will is due when it was delayed. A will without delay is not: it was for a client whose node died, and the client is back.
   */
  readonly ended: EndedSession | null;
}

export type Owned = 'ok' | 'fenced';

/**
 * The sessions, one for each client id, and who owns them.
 *
 * Ownership is a fence: `claim` raises the session's epoch, and every later change names the epoch under which it is made;
 * a change under an old one gives `fenced` and does nothing. The one exception: between a claim and the `open` that
 * follows it, the former owner may still hand in what its client acknowledged (its epoch is accepted until then).
 *
 * Epochs only grow, also over the end of a session and the beginning of the next one with the same client id.
 *
 * All methods are atomic. All reject with `store-unavailable` while the store is away; then it is unknown whether the
 * change was made, and repeating it is safe.
 */
export interface Sessions {
  /**
   * Makes `owner` the owner, creating the session when there is none, and raises the epoch. Nothing else changes yet: the
   * caller waits until `former` has let go (or is dead), and then calls `open`. Of two claims the later one wins.
   */
  claim(request: ClaimRequest): Promise<Claim>;

  /**
   * Begins to serve: shuts out the former owner, ends the earlier session when clean start asks for it, when it had expired
   * or when it was to end with its connection, cancels a delayed will of the earlier connection (when the session ended it
   * is handed back in `ended`: due now), and writes down the new connection's expiry and will. `fenced`: somebody claimed
   * the session since.
   */
  open(request: OpenRequest): Promise<OpenedSession | 'fenced'>;

  /**
   * Adds or replaces subscriptions, and makes the session's queue, whose first message gets the number `firstSeq` (1 unless
   * told). After `ok` messages can be queued.
   */
  subscribe(clientId: string, epoch: number, subscriptions: readonly StoredSubscription[], firstSeq?: number): Promise<Owned>;

  /** What is stored of a session's subscriptions, and its epoch: 0 when there is no session. */
  subscriptions(clientId: string): Promise<{ readonly epoch: number; readonly subscriptions: readonly StoredSubscription[] }>;

  /** Removes subscriptions. The queue stays, with what it holds. */
  unsubscribe(clientId: string, epoch: number, filters: readonly string[]): Promise<Owned>;

  /**
   * Lets go of a session that lives on: no owner, the expiry counted from now (a session that was claimed and never opened is
   * forgotten). `sentUpTo` is exact knowledge of what went out, -1 when that is not known (a burial). `will: 'drop'` for a normal disconnect, 'keep' when it is delayed (the caller puts it into `due`), or was to be
   * sent by somebody else. `expirySeconds` replaces the one given at `open`. Also accepted from the former owner during a
   * handover, which it ends.
   */
  release(clientId: string, epoch: number, sentUpTo: number, expirySeconds: number, will: 'drop' | 'keep'): Promise<Owned>;

  /** Ends a session: all that was kept of it is gone. Gives what is left to tidy up. */
  end(clientId: string, epoch: number): Promise<EndedSession | 'fenced'>;

  /**
   * Ends a session that nobody owns and whose expiry has passed, by the store's clock. `kept` when it is owned, never expires or
   * is not there; `dueInMs` when its time is yet to come.
   */
  expire(clientId: string): Promise<ExpiredSession | 'kept' | { readonly dueInMs: number }>;

  /**
   * What a burial needs to know of a session that a dead owner left: its epoch, will and expiry; null when `owner` is not
   * its owner any more.
   */
  orphan(clientId: string, owner: string): Promise<Orphan | null>;

  /** The will and its epoch of a session whose delayed will is due and which nobody owns; null when it was cancelled. */
  pendingWill(clientId: string): Promise<{ epoch: number; will: Buffer } | null>;
}

export interface Orphan {
  readonly epoch: number;
  readonly expirySeconds: number;
  readonly will: Buffer | null;
  readonly willDelaySeconds: number;
}
