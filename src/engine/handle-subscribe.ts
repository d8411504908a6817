import type { RouteChange } from '../../cluster/cluster.ts';
import { asBrokerError } from '../base/errors.ts';
import type { Qos } from '../base/message.ts';
import { isTopicFilter, parseShared } from '../base/topic.ts';
import { reasons } from '../base/reasons.ts';
import { reasonIn } from '../codec/reason-codes.ts';
import { encodeSuback, encodeSubscriptionId, readSubscribe, type Subscribe, type SubscribeRequest } from '../codec/subscribe.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';
import { levels } from './handle-publish.ts';
import { encodeMember } from './groups.ts';
import { checkSubscribe, missingFor } from './offer.ts';
import { feedOf, sendRetained } from './retained.ts';
import { sessionRoute } from './routes.ts';
import type { Session } from './session.ts';
import { isSysFilter } from './subscribed.ts';
import { encodeOptions, type SubscriptionOptions } from './subscription.ts';

interface Granted {
  readonly filter: string;
  readonly options: SubscriptionOptions;
  readonly wantsRetained: boolean;
}

/** SUBSCRIBE from a client [MQTT 5, 3.8]. SUBACK goes out when every node can know of it. */
export function handleSubscribe(connection: Connection, session: Session): void {
  const { reader } = connection;
  const packet = readSubscribe(reader.buffer, reader.first, reader.start, reader.end, connection.version);
  if (connection.version === 5) checkSubscribe(connection.engine.config.mqtt, packet);
  connection.waitFor(
    subscribe(connection, session, packet).then((codes) => {
      if (connection.state === 'live') connection.send(encodeSuback(packet.packetId, codes, connection.version));
    }),
  );
}

/**
 * Subscribes the session; gives a reason code for each request. Once it resolves, a message published on any node after
 * that reaches the session. Retained messages follow by themselves.
 */
export async function subscribe(connection: Connection, session: Session, packet: Subscribe): Promise<number[]> {
  const { engine } = connection;
  const { retainAvailable } = engine.config.mqtt;
  const codes: number[] = [];
  const granted = new Map<string, Granted>();
  const outcomes: SubscribeRequest[] = [];
  for (const request of packet.requests) {
    const allowed = await decide(connection, session, request, granted);
    outcomes.push(typeof allowed === 'number' ? request : allowed);
    if (typeof allowed === 'number') {
      codes.push(connection.version === 5 ? allowed : 0x80);
      continue;
    }
    const { filter, qos, retainHandling } = allowed;
    const wantsRetained = retainAvailable && (retainHandling === 0 || (retainHandling === 1 && !session.subscriptions.has(filter)));
    // what bit 7 of the level asks for, as mosquitto's bridges rely on it; MQTT 5 has options instead
    const noLocal = connection.isBridge ? !isShared(filter) : allowed.noLocal;
    const retainAsPublished = connection.isBridge || allowed.retainAsPublished;
    const ids = encodeSubscriptionId(packet.subscriptionId);
    granted.set(filter, { filter, options: { qos, noLocal, retainAsPublished, ids }, wantsRetained });
    codes.push(qos);
  }
  if (session.isOver) return codes;
  const all = [...granted.values()];
  // a shared subscription gets no retained messages [MQTT 5, 4.8.2]
  const fed = all.filter(({ filter, wantsRetained }) => wantsRetained && !isShared(filter) && !isSysFilter(filter));
  // from before the first live message on: it may be newer than what is retained
  if (fed.length > 0) feedOf(engine, session);
  if (all.length > 0) await keep(engine, session, all);
  for (const { filter, options } of fed) sendRetained(engine, session, filter, options);
  for (const { filter, options, wantsRetained } of all) if (wantsRetained && isSysFilter(filter)) engine.sys.answer(session, filter, options);
  engine.hooks.onSubscribed?.(connection, outcomes, codes);
  return codes;
}

async function keep(engine: Engine, session: Session, granted: readonly Granted[]): Promise<void> {
  const { clientId, epoch } = session;
  if (!session.isPersistent && granted.some(({ filter }) => isShared(filter))) await moveToStore(engine, session);
  if (session.isPersistent) {
    const stored = granted.map(({ filter, options }) => ({ filter, options: encodeOptions(options) }));
    const owned = await engine.patiently(() => engine.store.sessions.subscribe(clientId, epoch, stored));
    if (owned === 'fenced') {
      engine.lost(session);
      return;
    }
    await engine.changeRoutes(granted.map(({ filter, options }) => routeOf(engine, filter, session, options)));
  }
  if (session.isOver) return;
  for (const { filter, options } of granted) attach(engine, session, filter, options);
  await engine.patiently(() => engine.interest.settled());
}

/** The change by which all nodes know the subscription of a session that is connected here. */
export function routeOf(engine: Engine, filter: string, { clientId, epoch }: Session, options: SubscriptionOptions): RouteChange {
  const bytes = isShared(filter) ? encodeMember(options, engine.cluster.incarnation) : encodeOptions(options);
  return sessionRoute(filter, clientId, epoch, bytes);
}

/**
 * A clean session that becomes a member of a group: what is queued for a member must outlive it, so from now on its queue is
 * in the store. The numbers go on where those in memory are.
 */
async function moveToStore(engine: Engine, session: Session): Promise<void> {
  const { clientId, epoch, delivery } = session;
  const before = [...session.subscriptions];
  const stored = before.map(([filter, options]) => ({ filter, options: encodeOptions(options) }));
  const owned = await engine.patiently(() => engine.store.sessions.subscribe(clientId, epoch, stored, delivery.nextSeq));
  if (owned === 'fenced') {
    engine.lost(session);
    return;
  }
  await engine.changeRoutes(before.map(([filter, options]) => routeOf(engine, filter, session, options)));
  for (const [filter, options] of before) {
    engine.interest.remove(filter, interestOf(session, options));
  }
  session.isPersistent = true;
  for (const [filter, options] of before) engine.interest.add(filter, interestOf(session, options));
}

/** 0, or the reason code of the refusal. */
function check(engine: Engine, session: Session, { filter }: SubscribeRequest, granted: ReadonlyMap<string, Granted>): number {
  const { mqtt } = engine.config;
  const shared = parseShared(filter);
  if (shared === 'invalid' || !isTopicFilter(shared === null ? filter : shared.filter) || levels(filter) > mqtt.maxTopicLevels) return reasons['topic-filter-invalid'].v5;
  const missing = missingFor(mqtt, filter);
  if (missing !== null) return reasons[missing].v5;
  const isNew = !session.subscriptions.has(filter) && !granted.has(filter);
  if (isNew && session.subscriptions.size + granted.size >= mqtt.maxSubscriptionsPerClient) return reasons['quota-exceeded'].v5;
  return 0;
}

/** The request to carry out, or the reason code of the refusal. */
async function decide(
  connection: Connection,
  session: Session,
  request: SubscribeRequest,
  granted: ReadonlyMap<string, Granted>,
): Promise<SubscribeRequest | number> {
  const { hooks } = connection.engine;
  const refusal = check(connection.engine, session, request, granted);
  if (refusal !== 0) return refusal;
  if (hooks.authorizeSubscribe === null) return lowered(connection.engine, request);
  try {
    const allowed = await hooks.authorizeSubscribe(connection, request);
    if (allowed === null) return reasons['not-authorized'].v5;
    return check(connection.engine, session, allowed, granted) || lowered(connection.engine, allowed);
  } catch (error) {
    const { code } = asBrokerError(error);
    return reasonIn('suback', reasons[code === 'internal' ? 'not-authorized' : code].v5);
  }
}

/** A subscription is granted at the server's own maximum QoS at most [MQTT-3.2.2-10]. */
function lowered({ config }: Engine, request: SubscribeRequest): SubscribeRequest {
  const { maximumQos } = config.mqtt;
  return request.qos > maximumQos ? { ...request, qos: maximumQos as Qos } : request;
}

/** Makes a subscription of a connected session known in this process. */
export function attach(engine: Engine, session: Session, filter: string, options: SubscriptionOptions): void {
  const before = session.subscriptions.get(filter);
  session.subscriptions.set(filter, options);
  if (before === undefined) engine.subscribed.add(filter);
  if (isShared(filter)) return;
  engine.routes.addLocal(filter, session, options);
  engine.interest.add(filter, interestOf(session, options));
  if (before !== undefined) engine.interest.remove(filter, interestOf(session, before));
}

/** The session is not connected here any more. */
export function detach(engine: Engine, session: Session): void {
  for (const [filter, options] of session.subscriptions) {
    engine.subscribed.remove(filter);
    if (isShared(filter)) continue;
    engine.routes.removeLocal(filter, session);
    engine.interest.remove(filter, interestOf(session, options));
  }
}

/** Whether the filter is a shared one; its form was checked before. */
export function isShared(filter: string): boolean {
  return filter.startsWith('$share/');
}

export function interestOf(session: Session, options: SubscriptionOptions): 'live' | 'quiet' {
  return session.isPersistent && options.qos > 0 ? 'quiet' : 'live';
}
