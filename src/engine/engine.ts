import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Cluster, RouteChange } from '../../cluster/cluster.ts';
import { backoffMs } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Gate } from '../base/gate.ts';
import { asBrokerError, BrokerError } from '../base/errors.ts';
import { LogLimiter, type Logger } from '../base/log.ts';
import type { Message } from '../base/message.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Config } from '../config/schema.ts';
import type { OutboxRef } from '../store/outboxes.ts';
import type { RetainedSize } from '../store/retained.ts';
import type { Store } from '../store/store.ts';
import { Admission } from './admission.ts';
import { buryClient } from './bury.ts';
import { Commit } from './commit.ts';
import { Connection } from './connection.ts';
import { makeCounts, type Counts } from './counts.ts';
import { lookForCutQueues } from './cut-queues.ts';
import type { Hooks } from './hooks.ts';
import { Groups } from './groups.ts';
import { Interest } from './interest.ts';
import { Janitor } from './janitor.ts';
import { KeepAlive } from './keep-alive.ts';
import { leave, letGo } from './leave.ts';
import { watchOccupancy } from './occupancy.ts';
import { OutboxGate } from './outbox-gate.ts';
import { QueueDrops } from './queue-drops.ts';
import { receive } from './receive.ts';
import { RetainedMeter } from './retain.ts';
import { Routes } from './routes.ts';
import { SecondLook } from './second-look.ts';
import type { Session } from './session.ts';
import { StrayRoutes } from './stray-routes.ts';
import { isSysFilter, Subscribed } from './subscribed.ts';
import { SysTopics } from './sys-topics.ts';

export interface EngineParts {
  readonly config: Config;
  readonly store: Store;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly hooks: Hooks;
}

const retry = { firstMs: 20, mostMs: 1000 };

/**
 * One node's MQTT: what is shared by all connections, and the turn of the event loop in which their work is gathered.
 *
 * A turn: sockets are read, packets handled, what they want written is gathered in `commit`, what they want sent is gathered
 * in each connection's output. After all of that, once: one commit, one write for each connection.
 */
export class Engine {
  readonly config: Config;
  readonly store: Store;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hooks: Hooks;
  readonly count: Counts;
  readonly routes: Routes;
  readonly interest: Interest;
  readonly groups: Groups;
  readonly commit: Commit;
  readonly outboxGate: OutboxGate;
  readonly queueDrops: QueueDrops;
  readonly subscribed = new Subscribed();
  readonly sys: SysTopics;
  readonly strayRoutes: StrayRoutes;
  /** sessions that this node serves, or is letting go */
  readonly sessions = new Map<string, Session>();
  readonly connections = new Set<Connection>();
  readonly keepAlive: KeepAlive;
  readonly admission: Admission;
  /** the pages of retained messages under way: commits are to find their way to the store between them */
  readonly retainedGate = new Gate(2);
  readonly #retained: RetainedMeter;
  readonly #janitor: Janitor;
  readonly #secondLook: SecondLook;
  readonly #limiter = new LogLimiter();
  readonly #commitMs: { observe(value: number): void };
  readonly #gates = new Map<string, Promise<void>>();
  #dirty: Connection[] = [];
  #isTurnDue = false;
  #ticker: NodeJS.Timeout | null = null;
  #tickedAt = 0;
  /** counts seconds; what need not be exact measures by it */
  second = 0;
  isDraining = false;
  isStopped = false;

  constructor(parts: EngineParts) {
    this.config = parts.config;
    this.store = parts.store;
    this.cluster = parts.cluster;
    this.clock = parts.clock;
    this.log = parts.log;
    this.hooks = parts.hooks;
    this.count = makeCounts(parts.metrics);
    const self = (): string => this.cluster.incarnation;
    this.routes = new Routes(self, (clientId) => this.store.queues.ref(clientId), parts.log);
    this.interest = new Interest(self, parts.cluster.routes);
    this.groups = new Groups(this);
    this.commit = new Commit(this);
    this.outboxGate = new OutboxGate(this);
    this.queueDrops = new QueueDrops(this);
    this.strayRoutes = new StrayRoutes(this);
    this.#secondLook = new SecondLook(this);
    this.keepAlive = new KeepAlive(this);
    this.admission = new Admission(parts.config.mqtt, parts.clock, parts.metrics);
    this.#retained = new RetainedMeter(this);
    this.#janitor = new Janitor(this);
    this.sys = new SysTopics(this);
    this.#watch(parts.metrics);
    watchOccupancy(this, parts.metrics);
    this.#commitMs = parts.metrics.histogram('swarmq_commit_ms', 'Duration of a commit in ms', [0.25, 0.5, 1, 2, 5, 10, 50, 200, 1000, 5000]);
  }

  /** Joins the cluster and learns the routes. Connections may be accepted afterwards. */
  async start(): Promise<void> {
    await this.cluster.start({
      letGo: (clientId, epoch) => letGo(this, clientId, epoch),
      receive: (frames) => {
        receive(this, frames);
        return undefined;
      },
      fenced: () => {
        this.#fence();
      },
      reborn: async () => {
        await this.cluster.routes.load(this.routes);
        this.interest.retell();
        await this.interest.settled();
      },
      buryClient: (dead, clientId) => buryClient(this, dead, clientId),
      buryRoutes: (dead) => this.cluster.routes.change(this.routes.removalsOf(dead)),
      control: () => undefined,
    });
    this.store.onAnew((batch) => lookForCutQueues(this, batch));
    await this.cluster.routes.load(this.routes);
    this.#tickedAt = this.clock.monotonic();
    this.#ticker = setInterval(() => {
      this.#tick();
    }, 1000);
  }

  /** Takes a new connection. `isPlain`: see `Output`. */
  accept(stream: Duplex, isPlain: boolean, request?: IncomingMessage): Connection {
    const connection = new Connection(this, stream, isPlain, request);
    this.connections.add(connection);
    this.count.accepted.value++;
    this.keepAlive.awaitConnect(connection);
    return connection;
  }

  /** For connections alone: the connection is closed; its session is let go. */
  closed(connection: Connection, error: BrokerError | null): void {
    this.connections.delete(connection);
    this.keepAlive.forget(connection);
    this.count.closed.of(error === null ? 'client' : error.code).value++;
    if (error !== null && error.kind !== 'lost') {
      this.logLimited(error.code, error, 'a connection was closed', { client: connection.clientId || undefined });
    }
    this.sys.noteDisconnected(connection, error);
    if (connection.session !== null) this.leave(connection.session, error);
    this.hooks.onClosed?.(connection, error);
  }

  /** Lets go of a session whose connection is closed; `session.left` tells when that is done. */
  leave(session: Session, error: BrokerError | null): void {
    const left = leave(this, session, error).finally(() => {
      if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId);
    });
    session.left = left;
    left.catch((failure: unknown) => {
      this.log.error({ client: session.clientId, error: String(failure) }, 'a session could not be let go');
    });
  }

  /**
   * The store refused a write: another connection has claimed the session. It may still wait for this one to let go in order;
   * what must not be written any more, the store refuses.
   */
  lost(session: Session): void {
    if (session.isOver) return;
    session.connection.close(new BrokerError('taken-over', 'the session was taken over by another connection'));
  }

  /** Runs work on one client id after all earlier work on it is done: of many connects with one id the last one wins. */
  inTurn<T>(clientId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#gates.get(clientId);
    const result = before === undefined ? work() : before.then(work);
    const end = result.then(
      () => undefined,
      () => undefined,
    );
    this.#gates.set(clientId, end);
    void end.then(() => {
      if (this.#gates.get(clientId) === end) this.#gates.delete(clientId);
    });
    return result;
  }

  /** Does `work` until it succeeds, as long as it fails only because the store is away and this life of the node goes on. */
  async patiently<T>(work: () => Promise<T>): Promise<T> {
    const life = this.cluster.incarnation;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const failure = asBrokerError(error);
        if (failure.code !== 'store-unavailable' || this.isStopped || life !== this.cluster.incarnation) throw failure;
        this.logLimited(failure.code, failure, 'the store is away: waiting for it');
        await new Promise((resolve) => setTimeout(resolve, backoffMs(retry, attempt)));
      }
    }
  }

  /** Writes route changes where every node sees them, this one too. */
  async changeRoutes(changes: readonly RouteChange[]): Promise<void> {
    if (changes.length > 0) await this.patiently(() => this.cluster.routes.change(changes));
  }

  /** Writes this connection's output at the end of the turn. */
  flushLater(connection: Connection): void {
    this.#dirty.push(connection);
    this.flushSoon();
  }

  /** Sees to it that the turn ends with a commit and the writes. */
  flushSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(this.#endTurn);
  }

  observeCommit(ms: number): void {
    this.#commitMs.observe(ms);
  }

  noteOutbox(outbox: OutboxRef, length: number): void {
    this.outboxGate.note(outbox, length);
  }

  logLimited(key: string, error: unknown, text: string, fields: object = {}): void {
    const held = this.#limiter.pass(key, this.clock.monotonic());
    if (held < 0) {
      this.count.heldBackLines.value++;
      return;
    }
    const reason = error instanceof Error ? error.message : String(error);
    this.log.warn({ ...fields, code: key, reason, ...(held > 0 ? { heldBackLines: held } : {}) }, text);
  }

  /** A subscriber inside this process; it gets messages of every node. */
  async listen(filter: string, deliver: (message: Message) => void): Promise<void> {
    if (isSysFilter(filter)) this.subscribed.sys++;
    this.routes.addListener(filter, deliver);
    this.interest.add(filter, 'live');
    await this.patiently(() => this.interest.settled());
  }

  async unlisten(filter: string, deliver: (message: Message) => void): Promise<void> {
    if (!this.routes.removeListener(filter, deliver)) return;
    if (isSysFilter(filter)) this.subscribed.sys--;
    this.interest.remove(filter, 'live');
    await this.patiently(() => this.interest.settled());
  }

  /**
   * Sends the clients away, `perSecond` of them each second, so that they come back elsewhere; resolves when all sessions are
   * let go, or after `waitMs`.
   */
  async drain(perSecond: number, waitMs: number): Promise<void> {
    this.isDraining = true;
    const until = this.clock.monotonic() + waitMs;
    const sent = new BrokerError('node-draining', 'this node is leaving: connect again');
    const pause = Math.max(10, Math.round(1000 / perSecond));
    const wave = Math.max(1, Math.round((perSecond * pause) / 1000));
    while (this.connections.size > 0 && this.clock.monotonic() < until) {
      let left = wave;
      for (const connection of this.connections) {
        if (left-- === 0) break;
        connection.close(sent);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    for (const connection of this.connections) connection.close(sent);
    const leaving = Promise.allSettled([...this.sessions.values()].map((session) => session.left ?? Promise.resolve()));
    await Promise.race([leaving, new Promise((resolve) => setTimeout(resolve, Math.max(1000, until - this.clock.monotonic())))]);
  }

  /** Ends this node's part in the cluster. Drained before, nothing is left for others to tidy up. */
  async stop(): Promise<void> {
    await this.drain(1_000_000, 5_000);
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#secondLook.stop();
    await this.interest.settled().catch(() => undefined);
    await this.commit.flushed();
    this.isStopped = true;
    await this.cluster.leave();
  }

  /** The retained messages of the cluster, as of a few seconds ago. */
  get retainedSize(): RetainedSize {
    return this.#retained.size;
  }

  /** How late the tick of the current second is, in ms. */
  get ticksLateMs(): number {
    return this.#ticker === null ? 0 : Math.max(0, this.clock.monotonic() - this.#tickedAt - 1000);
  }

  readonly #endTurn = (): void => {
    this.#isTurnDue = false;
    this.commit.run();
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const connection of dirty) connection.flush();
  };

  #tick(): void {
    this.second++;
    this.#tickedAt = this.clock.monotonic();
    this.keepAlive.tick();
    this.outboxGate.tick();
    this.#retained.tick();
    this.queueDrops.tick();
    this.strayRoutes.tick();
    this.#secondLook.tick();
    this.#janitor.tick();
    this.sys.tick();
    // what could not be written while the store was away
    this.interest.settled().catch(() => undefined);
  }

  /** This life is over: others serve these sessions. Nothing of it may be written or said any more. */
  #fence(): void {
    this.commit.abandon();
    const fenced = new BrokerError('fenced', 'this node lost its lease');
    for (const session of this.sessions.values()) session.isLost = true;
    for (const connection of this.connections) connection.close(fenced);
  }

  #watch(metrics: Metrics): void {
    metrics.gauge('swarmq_connections', 'Open connections', () => this.connections.size);
    metrics.gauge('swarmq_sessions', 'Sessions that this node serves', () => this.sessions.size);
    metrics.gauge('swarmq_routes', 'Routes this node knows', () => this.routes.size);
    metrics.gauge('swarmq_commit_depth', 'Messages that are not committed yet', () => this.commit.depth);
    metrics.gauge('swarmq_retained_messages', 'Retained messages of the cluster', () => this.#retained.size.messages);
    metrics.gauge('swarmq_retained_bytes', 'Bytes of all retained messages of the cluster, topics and properties included', () => this.#retained.size.bytes);
    metrics.gauge('swarmq_store_away_ms', 'For how long the store has been out of reach', () => this.store.awayMs);
    metrics.gauge('swarmq_store_refuses', '1 while the store is in reach and refuses what it is told (out of memory, disk full), else 0', () => (this.store.refusal === null ? 0 : 1));
  }
}
