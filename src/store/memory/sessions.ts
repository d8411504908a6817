import type { Clock } from '../../base/clock.ts';
import { MemoryQueue } from './queue.ts';
import { neverExpires } from '../sessions.ts';
import type {
  Claim,
  ClaimRequest,
  EndedSession,
  ExpiredSession,
  OpenedSession,
  OpenRequest,
  Orphan,
  Owned,
  Sessions,
  StoredSubscription,
} from '../sessions.ts';

/** All that is kept of one session. Epoch 0 stands for "never". */
export class MemorySession {
  epoch = 0;
  owner: string | null = null;
  former: string | null = null;
  formerEpoch = 0;
  /** under which epoch it was last opened, and under which it began */
  opened = 0;
  began = 0;
  left: EndedSession | null = null;
  expirySeconds = 0;
  /** on the monotonic clock; only while nobody owns it */
  expiresAt = Infinity;
  will: Buffer | null = null;
  willDelaySeconds = 0;
  sentUpTo = 0;
  releasedInOrder = true;
  readonly subscriptions = new Map<string, Buffer>();
  queue: MemoryQueue | null = null;
  readonly released = new Set<number>();
  readonly incoming = new Set<number>();

  /** Whether a write under this epoch is the owner's, or the former owner's last word during a handover. */
  accepts(epoch: number): boolean {
    return epoch === this.epoch || (this.former !== null && epoch === this.formerEpoch);
  }

  /** Takes what has to be tidied up and forgets everything else but whose it is. */
  empty(): EndedSession {
    const left = { subscriptions: listOf(this.subscriptions), will: this.will };
    this.will = null;
    this.subscriptions.clear();
    this.queue = null;
    this.released.clear();
    this.incoming.clear();
    this.sentUpTo = 0;
    this.releasedInOrder = true;
    return left;
  }
}

export class MemorySessions implements Sessions {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, MemorySession>();
  /** one count for all sessions, so that none meets an epoch of its earlier life */
  #epochs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(clientId: string): MemorySession | undefined {
    return this.#sessions.get(clientId);
  }

  async claim({ clientId, owner }: ClaimRequest): Promise<Claim> {
    let session = this.#sessions.get(clientId);
    if (session === undefined) this.#sessions.set(clientId, (session = new MemorySession()));
    if (session.former === null && session.owner !== null) {
      session.former = session.owner;
      session.formerEpoch = session.epoch;
    }
    session.owner = owner;
    session.epoch = ++this.#epochs;
    return { epoch: session.epoch, former: session.former };
  }

  async open(request: OpenRequest): Promise<OpenedSession | 'fenced'> {
    const { clientId, epoch, cleanStart } = request;
    const session = this.#owned(clientId, epoch);
    if (session === undefined) return 'fenced';
    if (session.opened !== epoch) {
      const isOver = cleanStart || session.expirySeconds === 0 || session.expiresAt <= this.#clock.monotonic();
      session.left = null;
      // the client is back before its will was sent for it
      if (session.willDelaySeconds === 0) session.will = null;
      if (session.began !== 0 && isOver) {
        session.left = session.empty();
        session.began = 0;
      }
      if (session.began === 0) session.began = epoch;
    }
    const { sentUpTo, releasedInOrder } = session;
    session.former = null;
    session.opened = epoch;
    session.expirySeconds = request.expirySeconds;
    session.expiresAt = Infinity;
    session.will = request.will;
    session.willDelaySeconds = request.willDelaySeconds;
    session.releasedInOrder = false;
    return {
      present: session.began !== epoch,
      subscriptions: listOf(session.subscriptions),
      incoming: [...session.incoming],
      released: [...session.released],
      sentUpTo,
      releasedInOrder,
      ended: session.left,
    };
  }

  async subscribe(clientId: string, epoch: number, subscriptions: readonly StoredSubscription[], firstSeq = 1): Promise<Owned> {
    const session = this.#owned(clientId, epoch);
    if (session === undefined) return 'fenced';
    for (const { filter, options } of subscriptions) session.subscriptions.set(filter, options);
    session.queue ??= new MemoryQueue(firstSeq);
    return 'ok';
  }

  subscriptions(clientId: string): Promise<{ epoch: number; subscriptions: StoredSubscription[] }> {
    const session = this.#sessions.get(clientId);
    return Promise.resolve(session === undefined ? { epoch: 0, subscriptions: [] } : { epoch: session.epoch, subscriptions: listOf(session.subscriptions) });
  }

  async unsubscribe(clientId: string, epoch: number, filters: readonly string[]): Promise<Owned> {
    const session = this.#owned(clientId, epoch);
    if (session === undefined) return 'fenced';
    for (const filter of filters) session.subscriptions.delete(filter);
    return 'ok';
  }

  async release(clientId: string, epoch: number, sentUpTo: number, expirySeconds: number, will: 'drop' | 'keep'): Promise<Owned> {
    const session = this.#sessions.get(clientId);
    if (session === undefined || !session.accepts(epoch)) return 'fenced';
    if (epoch !== session.epoch) {
      session.former = null;
    } else if (session.began === 0) {
      this.#sessions.delete(clientId);
      return 'ok';
    } else {
      session.owner = null;
      session.expiresAt = expirySeconds === neverExpires ? Infinity : this.#clock.monotonic() + expirySeconds * 1000;
    }
    session.expirySeconds = expirySeconds;
    session.releasedInOrder = sentUpTo >= 0;
    if (sentUpTo >= 0) session.sentUpTo = sentUpTo;
    if (will === 'drop') session.will = null;
    return 'ok';
  }

  async end(clientId: string, epoch: number): Promise<EndedSession | 'fenced'> {
    const session = this.#owned(clientId, epoch);
    if (session === undefined) return 'fenced';
    this.#sessions.delete(clientId);
    return session.empty();
  }

  async expire(clientId: string): Promise<ExpiredSession | 'kept' | { readonly dueInMs: number }> {
    const session = this.#sessions.get(clientId);
    if (session === undefined || session.owner !== null || session.expiresAt === Infinity) return 'kept';
    const dueInMs = session.expiresAt - this.#clock.monotonic();
    if (dueInMs > 0) return { dueInMs };
    this.#sessions.delete(clientId);
    return { ...session.empty(), epoch: session.epoch };
  }

  async orphan(clientId: string, owner: string): Promise<Orphan | null> {
    const session = this.#sessions.get(clientId);
    if (session === undefined || session.owner !== owner) return null;
    const { epoch, expirySeconds, will, willDelaySeconds } = session;
    return { epoch, expirySeconds, will, willDelaySeconds };
  }

  async pendingWill(clientId: string): Promise<{ epoch: number; will: Buffer } | null> {
    const session = this.#sessions.get(clientId);
    if (session === undefined || session.owner !== null || session.will === null) return null;
    return { epoch: session.epoch, will: session.will };
  }

  #owned(clientId: string, epoch: number): MemorySession | undefined {
    const session = this.#sessions.get(clientId);
    return session?.epoch === epoch ? session : undefined;
  }
}

function listOf(subscriptions: ReadonlyMap<string, Buffer>): StoredSubscription[] {
  return Array.from(subscriptions, ([filter, options]) => ({ filter, options }));
}
