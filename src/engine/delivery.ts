import { BrokerError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import { decodeRecord } from '../codec/record.ts';
import type { QueueEntry, QueueLimit } from '../store/queues.ts';
import { carryOut } from './carry-out.ts';
import type { Engine } from './engine.ts';
import { ownCopy, ReadyList, sizeOf, type Ready } from './ready-list.ts';
import type { Session } from './session.ts';
import { decodeOptions, type SubscriptionOptions } from './subscription.ts';

const maxPacketId = 65_535;
/** How many messages of a stored queue are held in memory ahead of the window; the rest waits in the store. */
const readAhead = 512;
const readAheadBytes = 4 * 1024 * 1024;

/**
 * The way of a session's QoS 1 and 2 messages: queue -> window -> socket.
 *
 * Each message has a sequence number; messages leave strictly by it, and the packet identifier follows from it. The window
 * holds what was sent and is not finished: never more than Receive Maximum [MQTT-4.9.0-2], and never two with the same
 * identifier, which bounds it to 65,535 numbers from the oldest to the newest.
 *
 * Memory queue (clean sessions): everything waits here.
 *
 * Stored queue (persistent sessions), two states:
 *   live     every number below `#expected` has come by; the next message is offered by whoever committed it, and taken from
 *            memory when its number is `#expected` and there is room
 *   reading  a number was missing, or there was no room: numbers from `#expected` on are read from the store, page by page,
 *            whenever there is room; what is offered meanwhile only tells how far there is something to read (`#offered`)
 * A lost offer is healed by the next one, whose number shows the gap.
 *
 * What waits, here and in the store, is kept within `queue.maxMessages` and `queue.maxBytes`, for only this node knows what is on its
 * way to the client: that comes on top, and is never dropped [MQTT-4.4.0-1]. How much waits in the store is what was
 * offered, or counted after a resume, and not read yet; it is taken to be of the size of what was read.
 */
export class Delivery {
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #windowSize: number;
  /** packet identifier -> sequence number, negative for QoS 2; 0 once PUBREL is due or out */
  readonly #window = new Map<number, number>();
  /** packet identifier -> what was sent under it, kept only while somebody wants to hear of acknowledgements */
  #sent: Map<number, Message> | null = null;
  readonly #ready = new ReadyList();
  #expected = 1;
  #offered = 0;
  /** how many messages wait in the store behind those here */
  #unread = 0;
  #isCounted = true;
  /** whether everything that was queued before this connection has been read */
  #hasCaughtUp = true;
  #isSentAway = false;
  #isReading = false;
  #isReadingNow = false;
  /** the read that is under way may have missed what is looked for */
  #looksAgain = false;
  /** everything up to this number may have been sent by an earlier connection */
  #repeatUpTo = 0;
  /** how many more of the queued messages may have been, when nobody knows up to which number */
  #repeatNext = 0;
  #sentHere = 0;

  /** `sentBefore`: up to which number an earlier connection may have sent; null when its node died and nobody knows. */
  constructor(engine: Engine, session: Session, windowSize: number, sentBefore: number | null) {
    this.#engine = engine;
    this.#session = session;
    this.#windowSize = windowSize;
    if (sentBefore === null) this.#repeatNext = windowSize;
    else this.#repeatUpTo = sentBefore;
  }

  /** The highest sequence number that this connection or an earlier one sent; -1 while nobody knows. */
  get sentUpTo(): number {
    return this.#repeatNext > 0 ? -1 : Math.max(this.#sentHere, this.#repeatUpTo);
  }

  /** The number that the next message gets, or is expected to have. */
  get nextSeq(): number {
    return this.#expected;
  }

  /** Messages in memory that wait for the window. */
  get waiting(): number {
    return this.#ready.size;
  }

  /** Whether one more message would pass a limit. */
  get isFull(): boolean {
    return this.#passed(1, 0) !== null;
  }

  get waitingBytes(): number {
    return this.#ready.bytes;
  }

  /** Whether more waits in the store, or may wait there. */
  get isBehind(): boolean {
    return this.#isReading;
  }

  /** Messages sent and not finished. */
  get inFlight(): number {
    return this.#window.size;
  }

  /**
   * Goes on where an earlier connection stopped: PUBREL for every released identifier, then the queue from its beginning
   * [MQTT-4.4.0-1]. DUP marks what may have been sent before; when nobody knows that, as many of the messages that are queued
   * now as fit into a window. An offer before CONNACK may have filled the memory: then no read follows that would begin to send.
   */
  resume(released: readonly number[]): void {
    for (const packetId of released) {
      this.#window.set(packetId, 0);
      this.#session.connection.sendAck(6, packetId, 0);
    }
    this.#isReading = true;
    this.#hasCaughtUp = false;
    this.#isCounted = false;
    this.#readOn();
    this.pump();
  }

  /** A message for a session whose queue is here in memory. */
  enqueue(message: Message, options: SubscriptionOptions, retain: boolean): void {
    if (this.#refuses(sizeOf(message))) return;
    const seq = this.#expected++;
    this.#push(seq, message, options, retain);
    this.pump();
    this.#shed();
  }

  /** A message that was committed to the stored queue under this number; 0: under one that nobody knows. */
  offer(seq: number, message: Message, options: SubscriptionOptions, retain: boolean): void {
    if (seq === 0) {
      this.look();
      return;
    }
    if (seq < this.#expected) return;
    // what a read that is under way may bring is not refused any more
    if (!this.#isReadingNow && this.#refuses(sizeOf(message))) {
      if (!this.#isReading && seq === this.#expected) this.#expected++;
      this.#finish(seq);
      return;
    }
    if (seq > this.#offered) this.#offered = seq;
    if (!this.#isReading && seq === this.#expected && this.#hasRoom) {
      this.#expected++;
      this.#push(seq, message, options, retain);
      this.pump();
    } else {
      this.#unread++;
      this.#isReading = true;
    }
    this.#shed();
    this.#readOn();
  }

  /** Sends as much as window and socket allow. Called when either opened. */
  pump(): void {
    const { connection } = this.#session;
    if (connection.state !== 'live') return;
    const { authorizeForward, onAcknowledged } = this.#engine.hooks;
    for (let next; this.#window.size < this.#windowSize && (next = this.#ready.first) !== undefined && !connection.isCongested; ) {
      const packetId = ((next.seq - 1) % maxPacketId) + 1;
      if (this.#window.has(packetId)) break;
      this.#ready.shift();
      const isRepeat = next.seq <= this.#repeatUpTo;
      const message = authorizeForward === null ? next.message : authorizeForward(connection, next.message);
      if (message === null) {
        this.#drop(next, 'not-authorized');
      } else if (!isRepeat && message.expiresAt !== 0 && message.expiresAt <= this.#engine.clock.now()) {
        // what was sent before is carried through [MQTT-4.3.3-7]
        this.#drop(next, 'expired');
      } else if (!connection.sendPublish(message, next.qos, next.retain, isRepeat, packetId, next.ids)) {
        this.#drop(next, 'packet-too-large');
      } else {
        this.#window.set(packetId, next.qos === 2 ? -next.seq : next.seq);
        if (onAcknowledged !== null) (this.#sent ??= new Map()).set(packetId, ownCopy(message));
        this.#sentHere = next.seq;
      }
    }
    if (this.#isReading && this.waiting < readAhead / 2) this.#readOn();
    this.#session.feed?.goOn();
  }

  /** PUBACK, or a PUBREC that refuses [MQTT 5, 4.3]: finished. An unknown identifier is passed over. */
  acknowledge(packetId: number, qos: 1 | 2): void {
    const mark = this.#window.get(packetId);
    if (mark === undefined || mark === 0) return;
    if (mark < 0 !== (qos === 2)) throw wrongAck(packetId, qos === 2 ? 'PUBREC for QoS 1' : 'PUBACK for QoS 2');
    this.#window.delete(packetId);
    this.#finish(Math.abs(mark));
    const message = this.#sent?.get(packetId);
    if (message !== undefined) {
      this.#sent?.delete(packetId);
      this.#engine.hooks.onAcknowledged?.(this.#session.connection, packetId, message);
    }
    this.pump();
  }

  /** PUBREC: the message is the client's now; PUBREL follows when that is committed. False: unknown identifier. */
  receive(packetId: number): boolean {
    const mark = this.#window.get(packetId);
    if (mark === undefined) return false;
    if (mark > 0) throw wrongAck(packetId, 'PUBREC for QoS 1');
    if (mark !== 0) this.#window.set(packetId, 0);
    this.#sent?.delete(packetId);
    if (mark !== 0 && this.#session.isPersistent) {
      this.#session.settle().received.push(-mark);
      this.#engine.commit.settle(this.#session);
    } else {
      this.#session.connection.sendAck(6, packetId, 0);
    }
    return true;
  }

  /** PUBCOMP: finished. */
  complete(packetId: number): void {
    const mark = this.#window.get(packetId);
    if (mark === undefined) return;
    if (mark !== 0) throw wrongAck(packetId, 'PUBCOMP before PUBREC');
    this.#window.delete(packetId);
    this.#engine.hooks.onAcknowledged?.(this.#session.connection, packetId, null);
    if (this.#session.isPersistent) {
      this.#session.settle().completed.push(packetId);
      this.#engine.commit.settle(this.#session);
    }
    this.pump();
  }

  /** Removes everything that waits to be sent. What is on its way stays until it is acknowledged. */
  async empty(): Promise<void> {
    this.#ready.clear();
    this.#unread = 0;
    if (!this.#session.isPersistent) return;
    const { queue, epoch } = this.#session;
    const { store } = this.#engine;
    const onTheirWay = new Set(Array.from(this.#window.values(), Math.abs));
    for (let from = 1; ; ) {
      const entries = await this.#engine.patiently(() => store.queues.read(queue, from, readAhead));
      const last = entries.at(-1);
      if (last === undefined) return;
      from = last.seq + 1;
      // a page that is being read meanwhile is passed over up to here
      this.#expected = Math.max(this.#expected, from);
      const batch = store.begin();
      store.queues.acknowledge(batch, queue, epoch, entries.map(({ seq }) => seq).filter((seq) => !onTheirWay.has(seq)));
      await carryOut(batch);
    }
  }

  /** The limit that so much more would pass; null when none. */
  #passed(messages: number, bytes: number): QueueLimit | null {
    return this.#ready.passes(this.#engine.config.queue, this.#unread, messages, bytes);
  }

  /** Whether a new message is to go because the queue is full; it is counted then. */
  #refuses(bytes: number): boolean {
    const { whenFull } = this.#engine.config.queue;
    if (whenFull === 'drop-oldest') return false;
    const limit = this.#passed(1, bytes);
    if (limit === null) return false;
    this.#engine.queueDrops.note(this.#session.clientId, limit, 1);
    // one that came back to a full queue may empty it first
    if (whenFull === 'disconnect' && this.#hasCaughtUp) this.#sendAway();
    return true;
  }

  /** Not at once: its own message may be what is handled just now. */
  #sendAway(): void {
    if (this.#isSentAway) return;
    this.#isSentAway = true;
    const { connection } = this.#session;
    setImmediate(() => {
      connection.close(new BrokerError('quota-exceeded', 'messages come faster than the client takes them: its queue is full'));
    });
  }

  /** Drops the oldest of what waits, as long as that is too much. */
  #shed(): void {
    if (this.waiting === 0 || this.#engine.config.queue.whenFull !== 'drop-oldest') return;
    for (let limit = this.#passed(0, 0); limit !== null && this.waiting > 0; limit = this.#passed(0, 0)) {
      const { seq } = this.#ready.first!;
      this.#ready.shift();
      this.#engine.queueDrops.note(this.#session.clientId, limit, 1);
      this.#finish(seq);
    }
  }

  get #hasRoom(): boolean {
    return this.waiting < readAhead && this.#ready.bytes < readAheadBytes;
  }

  #push(seq: number, message: Message, options: SubscriptionOptions, retain: boolean): void {
    const qos = options.qos < message.qos ? options.qos : message.qos;
    const waits = this.waiting > 0 || this.#window.size >= this.#windowSize;
    this.#ready.push({ seq, qos, retain, ids: options.ids, message: waits ? ownCopy(message) : message });
  }

  #drop(next: Ready, reason: 'expired' | 'packet-too-large' | 'not-authorized'): void {
    this.#engine.count.dropped.of(reason).value++;
    this.#finish(next.seq);
  }

  #finish(seq: number): void {
    if (!this.#session.isPersistent) return;
    this.#session.settle().acknowledged.push(seq);
    this.#engine.commit.settle(this.#session);
  }

  /** Reads what is queued, whatever was offered. */
  look(): void {
    this.#isReading = true;
    this.#looksAgain = this.#isReadingNow;
    this.#readOn();
  }

  #readOn(): void {
    if (this.#isReadingNow || !this.#isReading || !this.#hasRoom || this.#session.isOver) return;
    this.#isReadingNow = true;
    const count = readAhead - this.waiting;
    const offered = this.#offered;
    this.#engine.store.queues.read(this.#session.queue, this.#expected, count).then(
      (entries) => {
        this.#isReadingNow = false;
        this.#take(entries, entries.length < count, offered);
      },
      () => {
        // the store is away: look again when it may be back
        setTimeout(() => {
          this.#isReadingNow = false;
          this.#readOn();
        }, 100).unref();
      },
    );
  }

  #take(entries: readonly QueueEntry[], isEnd: boolean, offered: number): void {
    if (this.#session.isOver) return;
    for (const entry of entries) {
      if (entry.seq < this.#expected) continue;
      this.#expected = entry.seq + 1;
      if (this.#unread > 0) this.#unread--;
      if (this.#repeatNext > 0) {
        this.#repeatNext--;
        this.#repeatUpTo = entry.seq;
      }
      try {
        const options = decodeOptions(entry.head);
        const message = decodeRecord(entry.record);
        this.#push(entry.seq, message, options, options.retainAsPublished && message.retain);
      } catch (error) {
        this.#engine.count.dropped.of('unreadable').value++;
        this.#engine.logLimited('unreadable', error, 'a queued message that cannot be read was passed over');
        this.#finish(entry.seq);
      }
    }
    // what comes from now on was not there for an earlier connection
    if (isEnd) this.#repeatNext = 0;
    if (isEnd && this.#offered < this.#expected) this.#isReading = false;
    else if (isEnd && offered >= this.#expected) {
      // what had been offered before the read is gone (dropped over the limit): go on behind it
      this.#expected = offered + 1;
      this.#isReading = this.#offered > offered;
    }
    if (this.#looksAgain) {
      this.#looksAgain = false;
      this.#isReading = true;
    }
    if (!this.#isReading) {
      this.#unread = 0;
      this.#hasCaughtUp = true;
      this.#isCounted = true;
    }
    this.#countRest();
    this.pump();
    this.#shed();
    if (this.waiting < readAhead / 2) this.#readOn();
    this.#engine.flushSoon();
  }

  /** Once after a resume with more than a page: how much there is. */
  #countRest(): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#engine.store.queues.size(this.#session.queue).then(
      (size) => {
        this.#unread = Math.max(this.#unread, size - this.waiting - this.#window.size);
        this.#shed();
      },
      () => {
        this.#isCounted = false;
      },
    );
  }
}

function wrongAck(packetId: number, what: string): BrokerError {
  return new BrokerError('protocol-error', `${what}, packet identifier ${packetId} [MQTT 5, 4.3]`);
}
