import type { Message } from '../base/message.ts';
import { hasWildcard } from '../base/topic.ts';
import { decodeRecord, encodeRecord } from '../codec/record.ts';
import type { RetainedWalk } from '../store/retained.ts';
import { carryOut } from './carry-out.ts';
import type { Engine } from './engine.ts';
import { forwardLossy } from './publish.ts';
import type { Session } from './session.ts';
import { encodeOptions, type SubscriptionOptions } from './subscription.ts';

/** Topics asked for in one round trip, where no wildcard is in the way. */
const exactAtOnce = 16;
/** Most messages, and bytes of them, that wait in memory for the client. */
const mostWaiting = 256;
const mostWaitingBytes = 1024 * 1024;
/** Topics of which newer messages are remembered. */
const mostNewer = 10_000;

/** One new subscription whose retained messages are to be sent. */
interface Order {
  readonly filter: string;
  readonly options: SubscriptionOptions;
  /** where a wildcard goes on; null before its first page */
  walk: RetainedWalk | null;
}

/** Sends the retained messages of a new subscription; see `RetainedFeed`. */
export function sendRetained(engine: Engine, session: Session, filter: string, options: SubscriptionOptions): void {
  feedOf(engine, session).add({ filter, options, walk: null });
}

/** From now on until it has nothing more to send, the feed knows which retained messages are outdated. */
export function feedOf(engine: Engine, session: Session): RetainedFeed {
  return (session.feed ??= new RetainedFeed(engine, session));
}

/**
 * The retained messages of one session's new subscriptions: page by page, the filters by turns, no faster than the client takes
 * them, beside everything else. It holds one page; the pages of all sessions together wait in line at the node's gate, so that
 * commits find their way to the store between them. The first page of a filter does not wait there: a subscription that matches
 * little is answered at once, whoever else subscribes to everything.
 *
 * A message for a stored queue is put there when there is room in what the client is being sent, and in half of the queue. So what
 * is retained drives no other message out.
 *
 * It ends with the subscription [MQTT-3.10.4-2], with a new subscription to the same filter, which begins again, and with the
 * connection. A session that goes on later gets what was in its queue by then, and not the rest: a subscription gets its retained
 * messages when it is made.
 */
export class RetainedFeed {
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #orders = new Map<string, Order>();
  /** topic -> when the last retained message that this session got live was published */
  readonly #newer = new Map<string, number>();
  #isAtWork = false;
  #wake: (() => void) | null = null;

  constructor(engine: Engine, session: Session) {
    this.#engine = engine;
    this.#session = session;
  }

  add(order: Order): void {
    // behind the others, and an earlier one for the same filter is over
    this.#orders.delete(order.filter);
    this.#orders.set(order.filter, order);
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    void this.#work();
  }

  /** The session is being sent this message live: what was retained before is outdated, and goes out no more. */
  note(message: Message): void {
    if (this.#newer.size < mostNewer || this.#newer.has(message.topic)) this.#newer.set(message.topic, message.publishedAt);
  }

  /** There may be room again, or the session is over. */
  goOn(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  async #work(): Promise<void> {
    try {
      for (let group = this.#next(); group.length > 0; group = this.#next()) {
        const hasMore = hasWildcard(group[0]!.filter) ? await this.#step(group[0]!) : await this.#find(group);
        for (const order of group) {
          if (this.#orders.get(order.filter) !== order) continue;
          this.#orders.delete(order.filter);
          if (hasMore) this.#orders.set(order.filter, order);
        }
      }
    } catch (error) {
      this.#engine.logLimited('retained', error, 'retained messages could not be sent', { client: this.#session.clientId });
    }
    this.#isAtWork = false;
    this.#orders.clear();
    if (this.#session.feed === this) this.#session.feed = null;
  }

  /** The next order with a wildcard, or the next ones without, together. */
  #next(): Order[] {
    const group: Order[] = [];
    if (this.#session.isOver) return group;
    for (const order of this.#orders.values()) {
      if (hasWildcard(order.filter)) return group.length > 0 ? group : [order];
      group.push(order);
      if (group.length === exactAtOnce) break;
    }
    return group;
  }

  async #find(orders: readonly Order[]): Promise<boolean> {
    const { store } = this.#engine;
    const records = await this.#engine.patiently(() => Promise.all(orders.map(({ filter }) => store.retained.get(filter))));
    for (const [i, order] of orders.entries()) {
      const record = records[i];
      if (record != null) await this.#send(order, [record]);
    }
    return false;
  }

  /** Sends the next page. False: that was the last one. */
  async #step(order: Order): Promise<boolean> {
    const engine = this.#engine;
    const isFirst = order.walk === null;
    const walk = (order.walk ??= engine.store.retained.match(order.filter));
    const ask = (): Promise<Buffer[] | null> => engine.patiently(() => walk.next());
    const page = isFirst ? await ask() : await engine.retainedGate.pass(ask);
    if (page === null) return false;
    await this.#send(order, page);
    return !this.#isEnded(order);
  }

  #isEnded(order: Order): boolean {
    const { isOver, subscriptions } = this.#session;
    return isOver || !subscriptions.has(order.filter) || this.#orders.get(order.filter) !== order;
  }

  async #send(order: Order, page: readonly Buffer[]): Promise<void> {
    const { options } = order;
    const kept: SubscriptionOptions = { ...options, retainAsPublished: true };
    let queued: Message[] = [];
    if (this.#isEnded(order)) return;
    for (const record of page) {
      const message = this.#read(record);
      if (message === null) continue;
      while (this.#room(message.qos > 0 && options.qos > 0) <= queued.length) {
        if (queued.length > 0) {
          await deliverTo(this.#engine, this.#session, queued, kept);
          queued = [];
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
        if (this.#isEnded(order)) return;
      }
      if (!this.#isOutdated(message) && !deliverAtOnce(this.#engine, this.#session, message, kept)) queued.push(message);
    }
    await deliverTo(this.#engine, this.#session, queued, kept);
  }

  /** Null for one that expired, or that cannot be read. */
  #read(record: Buffer): Message | null {
    try {
      const message = decodeRecord(record);
      return message.expiresAt !== 0 && message.expiresAt <= this.#engine.clock.now() ? null : message;
    } catch (error) {
      this.#engine.count.dropped.of('unreadable').value++;
      this.#engine.logLimited('unreadable', error, 'a retained message that cannot be read was passed over');
      return null;
    }
  }

  #isOutdated({ topic, publishedAt }: Message): boolean {
    return this.#newer.size > 0 && publishedAt < (this.#newer.get(topic) ?? -1);
  }

  /** How many more messages the client can be given now; what is sent to a congested one at QoS 0 would be dropped. */
  #room(isQueued: boolean): number {
    const { connection, delivery, isPersistent } = this.#session;
    if (connection.isCongested) return 0;
    if (!isQueued) return Infinity;
    const { maxMessages, maxBytes } = this.#engine.config.queue;
    if (delivery.isBehind || delivery.waitingBytes > Math.min(mostWaitingBytes, maxBytes / 2)) return 0;
    const half = Math.max(1, Math.floor(maxMessages / 2));
    // a stored queue also holds what is on its way
    return Math.min(mostWaiting, half - (isPersistent ? delivery.inFlight : 0)) - delivery.waiting;
  }
}

/** Hands messages to one session, past all routes, with the RETAIN flag they have. */
export async function deliverTo(engine: Engine, session: Session, messages: readonly Message[], options: SubscriptionOptions): Promise<void> {
  const queued = messages.filter((message) => !deliverAtOnce(engine, session, message, options));
  if (queued.length === 0) return;
  const head = encodeOptions(options);
  const batch = engine.store.begin();
  const slots = queued.map((message) => engine.store.queues.push(batch, session.queue, head, encodeRecord(message)));
  await carryOut(batch);
  queued.forEach((message, i) => {
    const seq = engine.store.queues.seq(batch, session.queue, slots[i]!);
    if (seq > 0) session.delivery.offer(seq, message, options, message.retain);
  });
  engine.flushSoon();
}

/** False: it has to go through the session's stored queue. */
function deliverAtOnce(engine: Engine, session: Session, message: Message, options: SubscriptionOptions): boolean {
  if (message.qos === 0 || options.qos === 0) forwardLossy(engine, session.connection, message, null, message.retain, options.ids);
  else if (session.isPersistent) return false;
  else session.delivery.enqueue(message, options, message.retain);
  return true;
}
