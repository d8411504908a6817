import type { RouteChange, RouteSink } from '../../cluster/cluster.ts';
import type { Logger } from '../base/log.ts';
import type { Message } from '../base/message.ts';
import type { OutboxRef } from '../store/outboxes.ts';
import type { QueueRef } from '../store/queues.ts';
import { FilterIndex } from './filter-index.ts';
import type { Session } from './session.ts';
import { decodeOptions, encodeOptions, mergeOptions, type SubscriptionOptions } from './subscription.ts';

/** A subscription of a session that is connected to this node. */
export interface LocalRoute extends SubscriptionOptions {
  readonly kind: 'local';
  readonly session: Session;
}

/** A subscription of a persistent session, wherever its client is: QoS 1 and 2 go into its queue. */
export interface QueueRoute extends SubscriptionOptions {
  readonly kind: 'queue';
  readonly clientId: string;
  readonly queue: QueueRef;
  /** the options as they stand at the head of a queued message */
  readonly head: Buffer;
}

/** Another node has connected subscribers. `live`: some of them get QoS 1 and 2 without a queue too. */
export interface NodeRoute {
  readonly kind: 'node';
  readonly incarnation: string;
  readonly live: boolean;
}

export interface BridgeRoute {
  readonly kind: 'bridge';
  readonly rule: string;
  readonly outbox: OutboxRef;
}

/** A subscriber inside this process. */
export interface ListenerRoute {
  readonly kind: 'listener';
  readonly deliver: (message: Message) => void;
}

type Route = LocalRoute | QueueRoute | NodeRoute | BridgeRoute | ListenerRoute;

/** Everyone who wants one topic, each once. Shared between messages: not to be changed. */
export interface Match {
  readonly version: number;
  readonly locals: readonly LocalRoute[];
  readonly queues: readonly QueueRoute[];
  readonly nodes: readonly NodeRoute[];
  readonly bridges: readonly BridgeRoute[];
  readonly listeners: readonly ListenerRoute[];
  /** whether a subscriber may have to be left out because it published the message itself */
  readonly hasNoLocal: boolean;
}

const nodePrefix = 'n:';
const sessionPrefix = 's:';
const liveOption = Buffer.from([1]);
const quietOption = Buffer.from([0]);
const cachedTopics = 20_000;

/**
 * Who wants which topics, as this node knows it: its own subscribers, and from the cluster's route log the sessions and the
 * other nodes. One look-up for each message; looked-up topics are kept until something changes.
 */
export class Routes implements RouteSink {
  readonly #index = new FilterIndex<Route>();
  readonly #matches = new Map<string, Match>();
  readonly #self: () => string;
  readonly #queueRef: (clientId: string) => QueueRef;
  readonly #log: Logger;
  /** grows with each change: a message matched at an older version may lack a target */
  version = 0;

  constructor(self: () => string, queueRef: (clientId: string) => QueueRef, log: Logger) {
    this.#self = self;
    this.#queueRef = queueRef;
    this.#log = log;
  }

  get size(): number {
    return this.#index.size;
  }

  match(topic: string): Match {
    const known = this.#matches.get(topic);
    if (known !== undefined && known.version === this.version) return known;
    const found: Route[] = [];
    this.#index.match(topic, found);
    const match = sort(found, this.version);
    if (this.#matches.size >= cachedTopics) this.#matches.clear();
    this.#matches.set(topic, match);
    return match;
  }

  /** The match without what no-local keeps from this publisher [MQTT-3.8.3-3]. */
  matchFor(topic: string, publisher: string): Match {
    const match = this.match(topic);
    if (!match.hasNoLocal) return match;
    const found: Route[] = [];
    this.#index.match(topic, found);
    const isOwn = (route: Route): boolean =>
      (route.kind === 'local' && route.noLocal && route.session.clientId === publisher) ||
      (route.kind === 'queue' && route.noLocal && route.clientId === publisher);
    return sort(found.filter((route) => !isOwn(route)), this.version);
  }

  addLocal(filter: string, session: Session, options: SubscriptionOptions): void {
    this.removeLocal(filter, session);
    this.#add(filter, { kind: 'local', session, ...options });
  }

  removeLocal(filter: string, session: Session): void {
    this.#remove(filter, (route) => route.kind === 'local' && route.session === session);
  }

  addListener(filter: string, deliver: (message: Message) => void): void {
    this.#add(filter, { kind: 'listener', deliver });
  }

  removeListener(filter: string, deliver: (message: Message) => void): boolean {
    return this.#remove(filter, (route) => route.kind === 'listener' && route.deliver === deliver);
  }

  addBridge(filter: string, rule: string, outbox: OutboxRef): void {
    this.#add(filter, { kind: 'bridge', rule, outbox });
  }

  /** Whether the cluster already knows this subscription of a session with just these options. */
  hasQueue(filter: string, clientId: string, options: SubscriptionOptions): boolean {
    const route = this.#index.find(filter, (r) => r.kind === 'queue' && r.clientId === clientId);
    return route?.kind === 'queue' && route.head.equals(encodeOptions(options));
  }

  /** What a node wanted, as changes that remove it. */
  removalsOf(incarnation: string): RouteChange[] {
    const removals: RouteChange[] = [];
    for (const [filter, route] of this.#index.entries()) {
      if (route.kind === 'node' && route.incarnation === incarnation) {
        removals.push({ filter, target: nodePrefix + incarnation, options: null });
      }
    }
    return removals;
  }

  reset(): void {
    const kept = [...this.#index.entries()].filter(([, route]) => route.kind !== 'queue' && route.kind !== 'node');
    this.#index.clear();
    for (const [filter, route] of kept) this.#index.add(filter, route);
    this.#changed();
  }

  change({ filter, target, options }: RouteChange): void {
    const name = target.slice(2);
    try {
      if (target.startsWith(nodePrefix)) this.#changeNode(filter, name, options);
      else if (target.startsWith(sessionPrefix)) this.#changeQueue(filter, name, options);
      else this.#log.warn({ filter, target }, 'a route with an unknown kind of target was passed over');
    } catch (error) {
      this.#log.warn({ filter, target, error: String(error) }, 'a route that cannot be read was passed over');
    }
  }

  #changeNode(filter: string, incarnation: string, options: Buffer | null): void {
    if (incarnation === this.#self()) return;
    this.#remove(filter, (route) => route.kind === 'node' && route.incarnation === incarnation);
    if (options !== null) this.#add(filter, { kind: 'node', incarnation, live: options[0] === 1 });
  }

  #changeQueue(filter: string, clientId: string, bytes: Buffer | null): void {
    const standing = this.#index.find(filter, (r) => r.kind === 'queue' && r.clientId === clientId);
    // read back from the log after it was applied here already: no change, so that looked-up topics stay
    if (standing?.kind === 'queue' && bytes !== null && standing.head.equals(bytes)) return;
    if (standing !== undefined) this.#remove(filter, (route) => route === standing);
    if (bytes === null) return;
    const options = decodeOptions(bytes);
    this.#add(filter, { kind: 'queue', clientId, queue: this.#queueRef(clientId), head: bytes, ...options });
  }

  #add(filter: string, route: Route): void {
    this.#index.add(filter, route);
    this.#changed();
  }

  #remove(filter: string, is: (route: Route) => boolean): boolean {
    const removed = this.#index.remove(filter, is) !== undefined;
    if (removed) this.#changed();
    return removed;
  }

  #changed(): void {
    this.version++;
  }
}

/** The change by which a session's subscription becomes known to all nodes. */
export function sessionRoute(filter: string, clientId: string, options: Buffer | null): RouteChange {
  return { filter, target: sessionPrefix + clientId, options };
}

/** The change by which a node tells what its connected subscribers want. */
export function nodeRoute(filter: string, incarnation: string, interest: 'live' | 'quiet' | null): RouteChange {
  return { filter, target: nodePrefix + incarnation, options: interest === null ? null : interest === 'live' ? liveOption : quietOption };
}

function sort(found: Route[], version: number): Match {
  const locals: LocalRoute[] = [];
  const queues: QueueRoute[] = [];
  const nodes: NodeRoute[] = [];
  const bridges: BridgeRoute[] = [];
  const listeners: ListenerRoute[] = [];
  let hasNoLocal = false;
  for (const route of found) {
    switch (route.kind) {
      case 'local':
        hasNoLocal ||= route.noLocal;
        locals.push(route);
        break;
      case 'queue':
        hasNoLocal ||= route.noLocal;
        queues.push(route);
        break;
      case 'node':
        nodes.push(route);
        break;
      case 'bridge':
        if (!bridges.some((b) => b.rule === route.rule)) bridges.push(route);
        break;
      case 'listener':
        listeners.push(route);
        break;
    }
  }
  return {
    version,
    locals: merged(locals, (r) => r.session, mergeLocal),
    queues: merged(queues, (r) => r.clientId, mergeQueue),
    nodes: merged(nodes, (r) => r.incarnation, (a, b) => (a.live ? a : b)),
    bridges,
    listeners,
    hasNoLocal,
  };
}

function merged<R>(routes: R[], key: (route: R) => unknown, merge: (a: R, b: R) => R): R[] {
  if (routes.length < 2) return routes;
  const byKey = new Map<unknown, R>();
  for (const route of routes) {
    const k = key(route);
    const other = byKey.get(k);
    byKey.set(k, other === undefined ? route : merge(other, route));
  }
  return byKey.size === routes.length ? routes : [...byKey.values()];
}

function mergeLocal(a: LocalRoute, b: LocalRoute): LocalRoute {
  return { kind: 'local', session: a.session, ...mergeOptions(a, b) };
}

function mergeQueue(a: QueueRoute, b: QueueRoute): QueueRoute {
  const options = mergeOptions(a, b);
  return { kind: 'queue', clientId: a.clientId, queue: a.queue, head: encodeOptions(options), ...options };
}
