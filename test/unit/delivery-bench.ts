import { Message, noBytes, type Qos } from '../../src/base/message.ts';
import { encodeRecord } from '../../src/codec/record.ts';
import { Delivery } from '../../src/engine/delivery.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Session, Settlement } from '../../src/engine/session.ts';
import { encodeOptions, type SubscriptionOptions } from '../../src/engine/subscription.ts';
import type { QueueEntry } from '../../src/store/queues.ts';

export const optionsOf = (qos: Qos): SubscriptionOptions => ({ qos, noLocal: false, retainAsPublished: false, ids: noBytes });
export const message = (text: string, qos: Qos = 1, expiresAt = 0): Message =>
  new Message('t', Buffer.from(text), qos, false, noBytes, expiresAt, 0, '');

export interface Sent {
  readonly text: string;
  readonly packetId: number;
  readonly isRepeat: boolean;
  readonly qos: Qos;
}

export interface Bench {
  readonly delivery: Delivery;
  /** what went out and was not looked at yet */
  readonly sent: Sent[];
  /** [packet type, packet identifier] */
  readonly acks: [number, number][];
  readonly settled: Settlement;
  readonly dropped: Record<string, number>;
  readonly connection: { state: string; isCongested: boolean; maxPayload: number; closedBy: string };
  readonly stored: Map<number, QueueEntry>;
  /** how often the store was asked */
  reads: number;
  now: number;
  /** Stores a message as the next one; offers it, unless the offer is lost. */
  store(text: string, more?: { qos?: Qos; expiresAt?: number; isLost?: boolean }): number;
  /** Lets reads of the store end. */
  settle(): Promise<void>;
}

export interface BenchOptions {
  readonly window?: number;
  readonly isPersistent?: boolean;
  readonly sentBefore?: number | null;
  /** the number of the first message stored */
  readonly first?: number;
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  readonly whenFull?: 'drop-oldest' | 'drop-newest' | 'disconnect';
}

/** A Delivery between a queue and a socket that are only arrays. */
export function bench(options: BenchOptions = {}): Bench {
  const { window = 10, isPersistent = true, sentBefore = 0, first = 1, maxMessages = 10_000, maxBytes = 1_000_000, whenFull = 'drop-oldest' } = options;
  const settled: Settlement = { acknowledged: [], received: [], completed: [], forgotten: [] };
  const dropped: Record<string, number> = {};
  const connection = {
    state: 'live',
    isCongested: false,
    maxPayload: Infinity,
    sendPublish(sending: Message, qos: Qos, _retain: boolean, isRepeat: boolean, packetId: number): boolean {
      if (sending.payload.length > this.maxPayload) return false;
      self.sent.push({ text: sending.payload.toString(), packetId, isRepeat, qos });
      return true;
    },
    closedBy: '',
    close(error: { code: string }) {
      this.state = 'closed';
      this.closedBy = error.code;
    },
    sendAck: (type: number, packetId: number) => void self.acks.push([type, packetId]),
  };
  const stored = new Map<number, QueueEntry>();
  const engine = {
    config: { queue: { maxMessages, maxBytes, whenFull } },
    clock: { now: () => self.now },
    hooks: { authorizeForward: null, onAcknowledged: null },
    count: {
      dropped: {
        of: (reason: string) => ({
          get value() {
            return dropped[reason] ?? 0;
          },
          set value(count: number) {
            dropped[reason] = count;
          },
        }),
      },
    },
    commit: { settle: () => undefined },
    queueDrops: {
      note: (_client: string, limit: string, count: number) => {
        dropped[limit] = (dropped[limit] ?? 0) + count;
      },
    },
    store: {
      queues: {
        read: async (_queue: unknown, from: number, count: number) => {
          self.reads++;
          const entries = [...stored.values()].filter(({ seq }) => seq >= from).sort((a, b) => a.seq - b.seq).slice(0, count);
          // the reply is on its way while other things happen
          await new Promise(setImmediate);
          return entries;
        },
        size: async () => Promise.resolve(stored.size),
      },
    },
    flushSoon: () => undefined,
    logLimited: () => undefined,
  };
  const session = { connection, isPersistent, isOver: false, queue: {}, epoch: 1, settle: () => settled };
  let next = first;
  const self: Bench = {
    delivery: new Delivery(engine as unknown as Engine, session as unknown as Session, window, sentBefore),
    sent: [],
    acks: [],
    settled,
    dropped,
    connection,
    stored,
    reads: 0,
    now: 1000,
    store(text, { qos = 1, expiresAt = 0, isLost = false } = {}) {
      const seq = next++;
      const one = message(text, qos, expiresAt);
      stored.set(seq, { seq, head: encodeOptions(optionsOf(qos)), record: encodeRecord(one) });
      if (!isLost) self.delivery.offer(seq, one, optionsOf(qos), false);
      return seq;
    },
    async settle() {
      for (let i = 0; i < 6; i++) await new Promise(setImmediate);
    },
  };
  return self;
}

export const texts = (sent: readonly Sent[]): string[] => sent.map(({ text }) => text);
export const range = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
