import type { Batch } from '../base/batch.ts';
import { BrokerError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import { encodeRecord } from '../codec/record.ts';
import type { OutboxRef } from '../store/outboxes.ts';
import type { Connection } from './connection.ts';
import { isMember, withMembers, type Group } from './groups.ts';
import type { Engine } from './engine.ts';
import { Pending } from './pending.ts';
import { deliverHere, type Origin } from './publish.ts';
import { readRetain, retain } from './retain.ts';
import type { Match } from './routes.ts';
import type { Session } from './session.ts';
import { finishSettlement, writeSettlements, type Settling } from './settling.ts';
import { deliverQueued, readOnce, readPushes, spread, spreadOnce } from './spread.ts';

/**
 * Group commit: everything that a turn of the event loop wants written goes to the store in one round trip, and nothing is
 * acknowledged before its reply. One commit is under way at a time; what comes meanwhile is the next one, so commits grow
 * with the load by themselves, and order is kept without bookkeeping.
 *
 * Each commit ends with a reading of the route log. A subscriber whose SUBACK was out before a message came is therefore
 * known before the message is acknowledged: if it was not known when the message was matched, the message is written
 * again for just the ones found since, and acknowledged after that.
 */
export class Commit {
  readonly #engine: Engine;
  #waiting: Pending[] = [];
  #waitingBytes = 0;
  #settling = new Set<Session>();
  /** frames that tell other nodes what was queued for their sessions, sent with the next commit */
  #nudges: { to: string; head: Buffer; record: Buffer }[] = [];
  #isUnderWay = false;
  #isSettlingApart = false;
  #underWay: Pending[] = [];
  #heldBack: Connection[] = [];
  #flushed: (() => void)[] = [];
  #flushedNext: (() => void)[] = [];
  readonly #outboxes = new Set<OutboxRef>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Messages that are not committed yet. */
  get depth(): number {
    return this.#waiting.length + this.#underWay.length;
  }

  get isFull(): boolean {
    const { maxMessages, maxPendingBytes } = this.#engine.config.commit;
    return this.#waiting.length >= maxMessages || this.#waitingBytes >= maxPendingBytes;
  }

  get #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#settling.size === 0 && this.#nudges.length === 0 && !this.#engine.store.queues.wantsTending;
  }

  add(message: Message, match: Match, origin: Origin): void {
    if (message.qos === 0 && this.isFull) {
      this.#engine.count.dropped.of('commit-full').value++;
      return;
    }
    const pending = new Pending(message, match, origin);
    if (message.qos > 0 && !pending.isWaiting) pending.match = withMembers(this.#engine, message, match);
    pending.hadSubscribers = match.locals.length + match.queues.length + match.groups.length + match.nodes.length + match.listeners.length > 0;
    this.#waiting.push(pending);
    this.#waitingBytes += message.payload.length;
    this.#engine.flushSoon();
  }

  /** Takes the session's settlement into the next commit. */
  settle(session: Session): void {
    this.#settling.add(session);
    this.#engine.flushSoon();
  }

  /** Tells another node what was queued for its sessions, with the next commit. This one knows: its session has just gone. */
  nudge(to: string, head: Buffer, record: Buffer): void {
    if (to === this.#engine.cluster.incarnation) return;
    if (this.#nudges.length >= this.#engine.config.commit.maxMessages) {
      this.#engine.count.lostNudges.value++;
      return;
    }
    this.#nudges.push({ to, head, record });
    this.#engine.flushSoon();
  }

  /** Reads no more from this publisher until commits have caught up. */
  holdBack(connection: Connection): void {
    if (connection.isHeldBack) return;
    connection.holdBack();
    this.#heldBack.push(connection);
    this.#engine.count.heldBack.value++;
  }

  /** Resolves when everything handed in until now is committed. */
  flushed(): Promise<void> {
    if (!this.#isUnderWay && !this.#isSettlingApart && this.#waiting.length === 0 && this.#settling.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushedNext.push(resolve);
      this.#engine.flushSoon();
    });
  }

  /** Gives up everything that waits but for nudges: this life of the node is over, and nothing of it may be written any more. */
  abandon(): void {
    for (const pending of this.#waiting) pending.origin.done?.(new BrokerError('fenced', 'this node lost its lease: the message was not committed'));
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#settling.clear();
    this.#tellFlushed();
  }

  /** Sends the next commit unless one is under way or there is nothing to write. Called once a turn. */
  run(): void {
    if (this.#isUnderWay) {
      this.#settleApart();
      return;
    }
    if (this.#isIdle) {
      if (this.#flushedNext.length > 0) this.#tellFlushed();
      return;
    }
    const { cluster, store } = this.#engine;
    this.#isUnderWay = true;
    if (!cluster.isCertain) {
      void cluster.whenCertain().then(() => {
        this.#isUnderWay = false;
        this.#engine.flushSoon();
      });
      return;
    }
    const pendings = (this.#underWay = this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#flushed.push(...this.#flushedNext);
    this.#flushedNext = [];
    const batch = store.begin();
    for (const nudge of this.#nudges) cluster.inbox.send(batch, nudge.to, nudge.head, nudge.record);
    this.#nudges = [];
    for (const pending of pendings) this.#write(batch, pending);
    const settlings = writeSettlements(this.#engine, this.#settling, batch, false);
    cluster.inbox.seal(batch);
    const lengths: [OutboxRef, number][] = [];
    for (const outbox of this.#outboxes) lengths.push([outbox, store.outboxes.measure(batch, outbox)]);
    this.#outboxes.clear();
    const tending = store.queues.tend(batch);
    const routesSlot = cluster.routes.read(batch);
    this.#engine.count.commits.value++;
    this.#engine.count.committed.value += pendings.length;
    const { clock } = this.#engine;
    const began = clock.monotonic();
    batch.commit((error) => {
      if (error !== null) {
        this.#isUnderWay = false;
        this.#underWay = [];
        this.#tellFlushed();
        return;
      }
      this.#engine.observeCommit(clock.monotonic() - began);
      for (const pending of pendings) this.#readReplies(batch, pending);
      for (const settling of settlings) this.#finishSettlement(batch, settling);
      if (tending !== null) this.#engine.queueDrops.tended(store.queues.tended(tending));
      for (const [outbox, slot] of lengths) this.#engine.noteOutbox(outbox, store.outboxes.length(batch, slot));
      if (cluster.routes.follow(batch, routesSlot)) this.#finish(pendings);
      else void this.#catchUp(pendings);
    });
  }

  #write(batch: Batch, pending: Pending): void {
    if (pending.isWaiting || pending.isWritten) return;
    const { message, match, origin } = pending;
    if (message.retain && pending.retained === null) retain(this.#engine, batch, pending);
    for (const bridge of match.bridges) this.#outboxes.add(bridge.outbox);
    if (pending.isOnce) {
      const { clientId, epoch } = origin.session!;
      const record = (pending.record ??= encodeRecord(message));
      origin.session!.isNoted = true;
      pending.once = spreadOnce(this.#engine, batch, message, match, record, { kind: 'incoming', clientId, epoch, packetId: origin.packetId });
    } else if (match.queues.length > 0 || match.nodes.length > 0 || match.bridges.length > 0) {
      pending.pushes = spread(this.#engine, batch, message, match, (pending.record ??= encodeRecord(message)));
    }
  }

  #readReplies(batch: Batch, pending: Pending): void {
    const { once, pushes } = pending;
    pending.once = null;
    pending.pushes = null;
    if (pending.retained !== null) readRetain(this.#engine, batch, pending);
    if (pushes !== null) pending.seqs = readPushes(this.#engine, batch, pending.match, pushes);
    if (once === null) return;
    const session = pending.origin.session!;
    try {
      const outcome = readOnce(this.#engine, batch, once);
      if (outcome === 'fenced') this.#engine.lost(session);
      else if (outcome === 'seen') deliverQueued(this.#engine, pending.message, pending.record!, pending.match, null);
      else pending.seqs = outcome;
    } catch (error) {
      this.#garbled(session, error);
    }
  }

  async #catchUp(pendings: Pending[]): Promise<void> {
    while (!this.#engine.isStopped) {
      try {
        await this.#engine.cluster.routes.catchUp();
        break;
      } catch (error) {
        this.#engine.logLimited('store-unavailable', error, 'the route log cannot be read: acknowledgements wait');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    this.#finish(pendings);
  }

  #finish(pendings: Pending[]): void {
    const again: Pending[] = [];
    /** the QoS (1, 2, or 3 for both) in which a publisher has an unanswered message: answers keep the order [MQTT-4.6.0-2], [MQTT-4.6.0-3] */
    const unanswered = new Map<Session | null, number>();
    for (const pending of pendings) {
      const refusedBefore = pending.refused.length;
      if (pending.seqs !== null) this.#deliver(pending, pending.seqs);
      pending.seqs = null;
      const { session } = pending.origin;
      const before = (session !== null && unanswered.get(session)) || 0;
      if (this.#needsAnotherRound(pending, pending.refused.length > refusedBefore) || (before & pending.message.qos) !== 0) {
        again.push(pending);
        this.#waitingBytes += pending.message.payload.length;
        unanswered.set(session, before | pending.message.qos);
      } else {
        this.#answer(pending);
      }
    }
    // before what came meanwhile: a subscriber that was found just now gets everything in order
    if (again.length > 0) this.#waiting = again.concat(this.#waiting);
    this.#underWay = [];
    this.#isUnderWay = false;
    this.#tellFlushed();
    this.#relieve();
    this.#engine.flushSoon();
  }

  #deliver(pending: Pending, seqs: readonly number[]): void {
    const { message, record, match } = pending;
    deliverQueued(this.#engine, message, record!, match, seqs);
    if (match.groups.length === 0) return;
    match.queues.forEach((target, i) => {
      if (isMember(target) && seqs[i] === 0) pending.refused.push(target.clientId);
    });
  }

  /** Whether routes have come to light since the match, or the message waited for this look at them. */
  #needsAnotherRound(pending: Pending, wasRefused: boolean): boolean {
    const { message, known } = pending;
    const { routes } = this.#engine;
    pending.isWritten = !pending.isWaiting;
    if (message.qos === 0 || (!pending.isWaiting && !wasRefused && known.version === routes.version)) return false;
    const now = routes.matchFor(message.topic, message.publisher);
    if (pending.isWaiting) {
      pending.isWaiting = false;
      pending.match = withMembers(this.#engine, message, now);
    } else {
      if (pending.isOnce) return false;
      const queues = now.queues.filter((route) => route.qos > 0 && !known.queues.some((r) => r.clientId === route.clientId && r.qos > 0));
      const nodes = now.nodes.filter((route) => route.live && !known.nodes.some((n) => n.incarnation === route.incarnation && n.live));
      const groups = this.#unserved(pending, now);
      if (queues.length === 0 && nodes.length === 0 && groups.length === 0) return false;
      pending.match = withMembers(this.#engine, message, { ...now, locals: [], bridges: [], listeners: [], queues, nodes, groups }, pending.refused);
    }
    pending.known = now;
    pending.isWritten = false;
    return true;
  }

  /** Groups that came to light since, and groups whose chosen member has left them meanwhile. */
  #unserved(pending: Pending, now: Match): readonly Group[] {
    if (now.groups.length === 0) return [];
    const chosen = pending.match.queues.filter(isMember);
    return now.groups.filter(({ name, members }) => {
      if (!pending.known.groups.some((group) => group.name === name)) return true;
      const member = chosen.find((one) => one.group === name);
      if (member === undefined) return false;
      const isThere = members.some((one) => one.clientId === member.clientId && one.node === member.node);
      return !isThere || pending.refused.includes(member.clientId);
    });
  }

  #answer(pending: Pending): void {
    const { message, origin } = pending;
    if (message.qos === 2) deliverHere(this.#engine, message, this.#engine.routes.matchFor(message.topic, message.publisher));
    const { session } = origin;
    if (message.qos > 0) this.#engine.hooks.onPublished?.(message, session);
    origin.done?.(null);
    if (session === null) return;
    session.committing--;
    if (session.isOver) return;
    const { connection } = session;
    const reason = pending.hadSubscribers || session.version !== 5 ? 0 : 0x10;
    if (message.qos === 1) {
      session.receiving--;
      connection.sendAck(4, origin.packetId, reason);
    } else if (message.qos === 2) {
      session.incoming?.set(origin.packetId, true);
      connection.sendAck(5, origin.packetId, reason);
    }
  }

  /**
   * While the store refuses the commit that is under way, what clients acknowledge goes by itself, before everything that waits:
   * it is what makes room.
   */
  #settleApart(): void {
    const { store, cluster } = this.#engine;
    if (this.#isSettlingApart || this.#settling.size === 0 || store.refusal === null || !cluster.isCertain) return;
    const batch = store.begin();
    const settlings = writeSettlements(this.#engine, this.#settling, batch, true);
    if (batch.size === 0) return;
    this.#isSettlingApart = true;
    batch.commit((error) => {
      this.#isSettlingApart = false;
      if (error === null) for (const settling of settlings) this.#finishSettlement(batch, settling);
      if (!this.#isUnderWay) this.#tellFlushed();
      this.#engine.flushSoon();
    }, true);
  }

  #finishSettlement(batch: Batch, settling: Settling): void {
    try {
      finishSettlement(this.#engine, batch, settling);
    } catch (error) {
      this.#garbled(settling.session, error);
    }
  }

  /** A reply that cannot be understood (a foreign value under one of our keys) ends one connection, and nothing else. */
  #garbled(session: Session | null, error: unknown): void {
    this.#engine.logLimited('store-corrupt', error, 'a reply of the store cannot be understood', { client: session?.clientId });
    session?.connection.close(new BrokerError('store-corrupt', 'the stored session cannot be read', error));
  }

  #relieve(): void {
    if (this.#heldBack.length === 0 || this.isFull) return;
    const held = this.#heldBack;
    this.#heldBack = [];
    for (const connection of held) connection.letGo();
  }

  #tellFlushed(): void {
    if (this.#isSettlingApart) return;
    const told = this.#flushed;
    this.#flushed = [];
    if (!this.#isUnderWay && this.#waiting.length === 0 && this.#settling.size === 0) {
      told.push(...this.#flushedNext);
      this.#flushedNext = [];
    }
    for (const tell of told) tell();
  }
}
