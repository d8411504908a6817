import type { RouteChange, RouteSink } from '../../cluster/cluster.ts';
import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Message } from '../base/message.ts';
import type { OutboxRef } from '../store/outboxes.ts';
import type { QueueRef } from '../store/queues.ts';
import { parseShared } from '../base/topic.ts';
import { FilterIndex, ownText } from './filter-index.ts';
import { decodeMember, type Group, type MemberRoute } from './groups.ts';
import { QueueRoute, SharedOptions, type QueueTarget, type StoredQueueRoute } from './queue-route.ts';
import type { Session } from './session.ts';
import { encodeOptions, mergeOptions, type SubscriptionOptions } from './subscription.ts';

/** A subscription of a session that is connected to this node. */
export interface LocalRoute extends SubscriptionOptions {
  readonly session: Session;
}

/** Another node has connected subscribers. `live`: some of them get QoS 1 and 2 without a queue too. */
export interface NodeRoute {
  readonly incarnation: string;
  readonly live: boolean;
}

export interface BridgeRoute {
  readonly rule: string;
  readonly outbox: OutboxRef;
}

/** A subscriber inside this process. */
export interface ListenerRoute {
  readonly deliver: (message: Message) => void;
}

/** Everyone who wants one topic, each once. Shared between messages: not to be changed. */
export interface Match {
  readonly version: number;
  readonly locals: readonly LocalRoute[];
  readonly queues: readonly QueueTarget[];
  /** shared subscriptions: one member of each gets the message */
  readonly groups: readonly Group[];
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
/** in characters: longer ones are looked up each time, so that what is kept is bounded in bytes too */
const longestCachedTopic = 512;
const keptNodes = 1000;

/**
 * Who wants which topics, as this node knows it: its own subscribers, and from the cluster's route log the sessions and the
 * other nodes. One look-up for each message; looked-up topics are kept until something changes.
 */
export class Routes implements RouteSink {
  readonly #locals = new FilterIndex<Session, LocalRoute>((route) => route.session);
  readonly #queues = new FilterIndex<string, StoredQueueRoute>((route) => route.clientId);
  readonly #members = new FilterIndex<string, MemberRoute>((member) => memberKey(member.group, member.clientId));
  /** the groups of each client that is in any */
  readonly #memberships = new Map<string, Set<string>>();
  readonly #nodes = new FilterIndex<string, NodeRoute>((route) => route.incarnation);
  readonly #bridges = new FilterIndex<string, BridgeRoute>((route) => route.rule);
  readonly #listeners = new FilterIndex<ListenerRoute['deliver'], ListenerRoute>((route) => route.deliver);
  readonly #matches = new Map<string, Match>();
  readonly #options = new SharedOptions();
  /** the nodes that routes were told of, each with the two forms of its routes */
  readonly #nodeForms = new Map<string, { live: NodeRoute; quiet: NodeRoute }>();
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
    return this.#locals.size + this.#queues.size + this.#members.size + this.#nodes.size + this.#bridges.size + this.#listeners.size;
  }

  /** How many looked-up topics are remembered. */
  get remembered(): number {
    return this.#matches.size;
  }

  match(topic: string): Match {
    const known = this.#matches.get(topic);
    if (known !== undefined && known.version === this.version) return known;
    const match = this.#find(topic, null);
    if (topic.length > longestCachedTopic) return match;
    if (this.#matches.size >= cachedTopics) this.#matches.clear();
    this.#matches.set(topic, match);
    return match;
  }

  /** The match without what no-local keeps from this publisher [MQTT-3.8.3-3]. */
  matchFor(topic: string, publisher: string): Match {
    const match = this.match(topic);
    return match.hasNoLocal ? this.#find(topic, publisher) : match;
  }

  addLocal(filter: string, session: Session, options: SubscriptionOptions): void {
    this.#locals.set(filter, { session, ...options });
    this.#changed();
  }

  removeLocal(filter: string, session: Session): void {
    if (this.#locals.delete(filter, session)) this.#changed();
  }

  addListener(filter: string, deliver: ListenerRoute['deliver']): void {
    this.#listeners.set(filter, { deliver });
    this.#changed();
  }

  removeListener(filter: string, deliver: ListenerRoute['deliver']): boolean {
    const wasThere = this.#listeners.delete(filter, deliver);
    if (wasThere) this.#changed();
    return wasThere;
  }

  addBridge(filter: string, rule: string, outbox: OutboxRef): void {
    this.#bridges.set(filter, { rule, outbox });
    this.#changed();
  }

  /** Whether the cluster already knows this subscription of a session with just these options. */
  hasQueue(filter: string, clientId: string, options: SubscriptionOptions): boolean {
    return this.#queues.get(filter, clientId)?.options.head.equals(encodeOptions(options)) === true;
  }

  /** The members of a shared subscription, given as `$share/<name>/<filter>`. */
  membersOf(group: string): MemberRoute[] {
    const shared = parseShared(group);
    return shared === null || shared === 'invalid' ? [] : this.#members.at(shared.filter).filter((member) => member.group === group);
  }

  /** What the client is in each of its groups. */
  membershipsOf(clientId: string): MemberRoute[] {
    const groups = this.#memberships.get(clientId);
    return groups === undefined ? [] : [...groups].flatMap((group) => this.membersOf(group).filter((member) => member.clientId === clientId));
  }

  /** The filters, shared ones too, under which these clients are known. Looked for beside everything else. */
  async filtersOf(clients: ReadonlySet<string>): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>();
    for (const clientId of clients) found.set(clientId, this.membershipsOf(clientId).map(({ group }) => group));
    let seen = 0;
    for (const [filter, { clientId }] of this.#queues.entries()) {
      found.get(clientId)?.push(filter);
      if (++seen % 10_000 === 0) await new Promise(setImmediate);
    }
    return found;
  }

  /** What a node wanted, as changes that remove it. */
  removalsOf(incarnation: string): RouteChange[] {
    const removals: RouteChange[] = [];
    for (const [filter, route] of this.#nodes.entries()) {
      if (route.incarnation === incarnation) removals.push(nodeRoute(filter, incarnation, null));
    }
    return removals;
  }

  reset(): void {
    this.#queues.clear();
    this.#members.clear();
    this.#memberships.clear();
    this.#nodes.clear();
    this.#nodeForms.clear();
    this.#changed();
  }

  change({ filter, target, options }: Omit<RouteChange, 'version'>): void {
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
    const standing = this.#nodes.get(filter, incarnation);
    const route = options === null ? undefined : this.#nodeForm(incarnation, options[0] === 1);
    if (route === standing) return;
    if (route === undefined) this.#nodes.delete(filter, incarnation);
    else this.#nodes.set(filter, route);
    this.#changed();
  }

  #changeMember(group: string, filter: string, clientId: string, bytes: Buffer | null): void {
    const standing = this.#members.get(filter, memberKey(group, clientId));
    if (bytes === null) {
      if (!this.#members.delete(filter, memberKey(group, clientId))) return;
      const groups = this.#memberships.get(clientId);
      groups?.delete(group);
      if (groups?.size === 0) this.#memberships.delete(clientId);
      this.#changed();
      return;
    }
    const member = decodeMember(group, clientId, bytes, this.#queueRef(clientId));
    if (standing !== undefined && standing.node === member.node && standing.head.equals(member.head)) return;
    const groups = this.#memberships.get(clientId);
    if (groups === undefined) this.#memberships.set(clientId, new Set([group]));
    else groups.add(group);
    this.#members.set(filter, member);
    this.#changed();
  }

  #changeQueue(filter: string, clientId: string, bytes: Buffer | null): void {
    const shared = parseShared(filter);
    if (shared === 'invalid') throw new BrokerError('store-corrupt', `${filter} is no shared subscription`);
    if (shared !== null) {
      this.#changeMember(filter, shared.filter, clientId, bytes);
      return;
    }
    if (bytes === null) {
      if (this.#queues.delete(filter, clientId)) this.#changed();
      return;
    }
    // read back from the log after it was applied here already: no change, so that looked-up topics stay
    if (this.#queues.get(filter, clientId)?.options.head.equals(bytes) === true) return;
    this.#queues.set(filter, { clientId: ownText(clientId), options: this.#options.of(bytes) });
    this.#changed();
  }

  /** One object for all routes of a node: 72 B less for each of them. */
  #nodeForm(incarnation: string, live: boolean): NodeRoute {
    let forms = this.#nodeForms.get(incarnation);
    if (forms === undefined) {
      if (this.#nodeForms.size >= keptNodes) this.#nodeForms.clear();
      forms = { live: { incarnation, live: true }, quiet: { incarnation, live: false } };
      this.#nodeForms.set(incarnation, forms);
    }
    return live ? forms.live : forms.quiet;
  }

  /** `publisher`: leave out what it does not want back from itself; null: leave out nothing. */
  #find(topic: string, publisher: string | null): Match {
    let locals = this.#locals.match(topic);
    let queues = this.#queues.match(topic);
    const hasNoLocal = locals.some((route) => route.noLocal) || queues.some((route) => route.options.noLocal);
    if (hasNoLocal && publisher !== null) {
      locals = locals.filter((route) => !(route.noLocal && route.session.clientId === publisher));
      queues = queues.filter((route) => !(route.options.noLocal && route.clientId === publisher));
    }
    return {
      version: this.version,
      locals: merged(locals, (r) => r.session, mergeLocal),
      queues: merged(queues, (r) => r.clientId, mergeQueue).map(({ clientId, options }) => new QueueRoute(clientId, options, this.#queueRef)),
      groups: grouped(this.#members.match(topic)),
      nodes: merged(this.#nodes.match(topic), (r) => r.incarnation, (a, b) => (a.live ? a : b)),
      bridges: merged(this.#bridges.match(topic), (r) => r.rule, (first) => first),
      listeners: this.#listeners.match(topic),
      hasNoLocal,
    };
  }

  #changed(): void {
    this.version++;
  }
}

/** The change by which a session's subscription becomes known to all nodes, said by its owner of this epoch or for it. */
export function sessionRoute(filter: string, clientId: string, epoch: number, options: Buffer | null): RouteChange {
  return { filter, target: sessionPrefix + clientId, version: epoch, options };
}

/** The change by which a node tells what its connected subscribers want. */
export function nodeRoute(filter: string, incarnation: string, interest: 'live' | 'quiet' | null): RouteChange {
  return { filter, target: nodePrefix + incarnation, version: 0, options: interest === null ? null : interest === 'live' ? liveOption : quietOption };
}

function memberKey(group: string, clientId: string): string {
  return `${group}\0${clientId}`;
}

function grouped(members: readonly MemberRoute[]): Group[] {
  if (members.length === 0) return [];
  const groups = new Map<string, MemberRoute[]>();
  for (const member of members) {
    const group = groups.get(member.group);
    if (group === undefined) groups.set(member.group, [member]);
    else group.push(member);
  }
  return [...groups].map(([name, all]) => ({ name, members: all }));
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
  return { session: a.session, ...mergeOptions(a, b) };
}

function mergeQueue(a: StoredQueueRoute, b: StoredQueueRoute): StoredQueueRoute {
  const options = mergeOptions(a.options, b.options);
  return { clientId: a.clientId, options: { head: encodeOptions(options), ...options } };
}
