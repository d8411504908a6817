import { randomUUID } from 'node:crypto';
import type { RouteChange } from '../../cluster/cluster.ts';
import { asBrokerError, BrokerError } from '../base/errors.ts';
import { expiryAfter, Message } from '../base/message.ts';
import { connectVersion, encodeConnack, readConnect, type Connect, type Will } from '../codec/connect.ts';
import { encodeRecord } from '../codec/record.ts';
import { utf8Bytes } from '../codec/text.ts';
import type { OpenedSession } from '../store/sessions.ts';
import { connackProperties } from './connack.ts';
import type { Connection } from './connection.ts';
import { Delivery } from './delivery.ts';
import type { Engine } from './engine.ts';
import { beginExchange } from './handle-auth.ts';
import { levels } from './handle-publish.ts';
import { forgetReminder, takenOver } from './leave.ts';
import { checkWill } from './offer.ts';
import { OutgoingAliases } from './outgoing-aliases.ts';
import { sessionRoute } from './routes.ts';
import { Session, type WillOrder } from './session.ts';
import { decodeOptions, type SubscriptionOptions } from './subscription.ts';
import { attach, isShared, routeOf } from './handle-subscribe.ts';
import { removeStored } from './handle-unsubscribe.ts';
import { publishRecord } from './wills.ts';

const maxPacketBytes = 268_435_460;

/** CONNECT [MQTT 5, 3.1]: who is it, may it, and then the session, wherever it was served until now. */
export function handleConnect(connection: Connection): void {
  const { reader } = connection;
  const spoken = connectVersion(reader.buffer, reader.start, reader.end);
  // a stranger who does not even say MQTT is not answered [MQTT-3.1.2-1]
  if (spoken === 0) connection.state = 'new';
  else connection.version = spoken;
  const connect = readConnect(reader.buffer, reader.first, reader.start, reader.end);
  connection.version = connect.version;
  reader.shortestLength = connect.version === 5;
  connection.wantsProblemInformation = connect.requestProblemInformation;
  connection.isBridge = connect.bridge;
  connection.maximumPacketBytes = connect.maximumPacketBytes >= maxPacketBytes ? 0 : connect.maximumPacketBytes;
  const aliases = Math.min(connect.topicAliasMaximum, connection.engine.config.mqtt.outgoingTopicAliases);
  if (aliases > 0) connection.outgoingAliases = new OutgoingAliases(aliases);
  connection.waitFor(open(connection, connect));
}

async function open(connection: Connection, connect: Connect): Promise<void> {
  const { engine } = connection;
  const { hooks } = engine;
  if (hooks.preConnect !== null) {
    try {
      await hooks.preConnect(connection, connect);
    } catch (error) {
      connection.drop(asBrokerError(error));
    }
    if (isGone(connection)) return;
  }
  checkAdmission(engine, connect);
  const turn = engine.admission.enter(connection);
  if (turn !== null) await turn;
  if (isGone(connection)) return;
  connection.hasAssignedId = connect.clientId === '';
  if (connection.hasAssignedId) connect.clientId = `auto-${randomUUID()}`;
  connection.clientId = connect.clientId;
  connection.cleanStart = connect.cleanStart;
  connection.username = connect.username;
  const { authenticationMethod } = connect;
  if (authenticationMethod !== null) {
    await beginExchange(connection, connect, authenticationMethod, () => enter(connection, connect));
    return;
  }
  if (hooks.authenticate !== null) await hooks.authenticate(connection, connect);
  await enter(connection, connect);
}

/** The client is who it says: to the session. */
async function enter(connection: Connection, connect: Connect): Promise<void> {
  const { engine } = connection;
  const { config } = engine;
  const asked = connect.version === 5 ? connect.sessionExpirySeconds : connect.cleanStart ? 0 : config.session.defaultExpirySeconds;
  const expirySeconds = Math.min(asked, config.session.maxExpirySeconds);
  connection.keepAliveSeconds = keepAliveOf(engine, connect);
  await engine.inTurn(connect.clientId, () => claim(connection, connect, expirySeconds));
}

function checkAdmission(engine: Engine, connect: Connect): void {
  const { mqtt, redirect } = engine.config;
  if (redirect.permanent !== null) throw new BrokerError('server-moved', `this server has moved to ${redirect.permanent}`);
  if (engine.isDraining) throw new BrokerError('node-draining', 'this node is leaving: connect again to reach another one');
  if (engine.connections.size > mqtt.maxConnections) {
    throw new BrokerError('quota-exceeded', `this node serves its maximum of ${mqtt.maxConnections} connections`);
  }
  if (utf8Bytes(connect.clientId) > mqtt.maxClientIdBytes) {
    throw new BrokerError('client-id-invalid', `CONNECT: the client identifier is longer than ${mqtt.maxClientIdBytes} bytes`);
  }
  if (connect.will !== null) checkWill(mqtt, connect.will);
  if (connect.will !== null && levels(connect.will.topic) > mqtt.maxTopicLevels) {
    throw new BrokerError('topic-name-invalid', `CONNECT: the will topic has more than ${mqtt.maxTopicLevels} levels`);
  }
  if (connect.will?.topic.startsWith('$SYS/')) {
    throw new BrokerError('not-authorized', "CONNECT: $SYS/ is the broker's own, a will cannot go there");
  }
}

function keepAliveOf(engine: Engine, connect: Connect): number {
  const most = engine.config.mqtt.maxKeepAliveSeconds;
  if (connect.version !== 5) return connect.keepAliveSeconds;
  return connect.keepAliveSeconds === 0 ? most : Math.min(connect.keepAliveSeconds, most);
}

/**
 * Makes this node the session's owner, waits until the former one has let go, and begins to serve. From here on the work is
 * carried through even when the client has gone meanwhile: a claimed session must be let go in order.
 */
async function claim(connection: Connection, connect: Connect, expirySeconds: number): Promise<void> {
  const { engine } = connection;
  const { clientId } = connect;
  if (isGone(connection)) return;
  const standing = engine.sessions.get(clientId);
  if (standing !== undefined) {
    engine.count.takeovers.value++;
    standing.connection.close(takenOver());
    await standing.left;
  }
  const { sessions } = engine.store;
  const will = willOf(engine, connect);
  await engine.patiently(() => engine.cluster.serve(clientId));
  const { epoch, former } = await engine.patiently(() => sessions.claim({ clientId, owner: engine.cluster.incarnation }));
  if (former !== null) await engine.patiently(() => engine.cluster.handover.takeFrom(former, clientId, epoch));
  const opened = await engine.patiently(() =>
    sessions.open({
      clientId,
      epoch,
      cleanStart: connect.cleanStart,
      protocol: connect.version,
      expirySeconds,
      will: will?.record ?? null,
      willDelaySeconds: will?.delaySeconds ?? 0,
    }),
  );
  if (opened === 'fenced') {
    // a still later connection has claimed it: it waits for our word
    await engine.patiently(() => sessions.release(clientId, epoch, -1, expirySeconds, 'keep'));
    engine.cluster.unserve(clientId);
    throw takenOver();
  }
  const isPersistent = expirySeconds > 0 || opened.present;
  const session = new Session(connection, clientId, epoch, connect.version, isPersistent, engine.store.queues.ref(clientId), expirySeconds, will);
  const sentBefore = opened.present ? (opened.releasedInOrder ? opened.sentUpTo : null) : 0;
  session.delivery = new Delivery(engine, session, windowOf(engine, connect), sentBefore);
  for (const packetId of opened.incoming) (session.incoming ??= new Map()).set(packetId, true);
  session.receiving = opened.incoming.length;
  engine.sessions.set(clientId, session);
  await tidyAfter(engine, clientId, epoch, opened);
  await restore(engine, session, opened);
  if (isGone(connection)) {
    engine.leave(session, connection.closedBy);
    await session.left;
    return;
  }
  begin(connection, connect, session, opened);
}

/** CONNACK, and then what waited. */
function begin(connection: Connection, connect: Connect, session: Session, opened: OpenedSession): void {
  const { engine } = connection;
  connection.session = session;
  engine.hooks.onClaimed?.(connection);
  if (isGone(connection)) return;
  const properties = connect.version === 5 ? connackProperties(connection, connect, session) : undefined;
  connection.send(encodeConnack({ sessionPresent: opened.present, reason: 0, ...(properties ? { properties } : {}) }, connect.version));
  // CONNACK may be larger than the client takes
  if (isGone(connection)) return;
  connection.state = 'live';
  engine.hooks.onConnack?.(connection, 0, opened.present);
  engine.count.connects.value++;
  engine.keepAlive.watch(connection);
  if (opened.present) session.delivery.resume(opened.released);
  engine.sys.noteConnected(connection);
  engine.hooks.onConnected?.(connection);
}

/** An earlier session that clean start ended: its routes go, and a will that still waited is due now [MQTT-3.1.3-9]. */
async function tidyAfter(engine: Engine, clientId: string, epoch: number, opened: OpenedSession): Promise<void> {
  const { ended } = opened;
  if (ended === null) return;
  await engine.changeRoutes(ended.subscriptions.map(({ filter }) => sessionRoute(filter, clientId, epoch, null)));
  await forgetReminder(engine, clientId);
  if (ended.will !== null) await publishRecord(engine, ended.will);
}

async function restore(engine: Engine, session: Session, opened: OpenedSession): Promise<void> {
  const missing: RouteChange[] = [];
  const unwanted: string[] = [];
  for (const { filter, options } of opened.subscriptions) {
    let decoded: SubscriptionOptions;
    try {
      decoded = decodeOptions(options);
    } catch (error) {
      engine.logLimited('store-corrupt', error, 'a stored subscription cannot be read', { client: session.clientId });
      continue;
    }
    if (!(await isStillAllowed(session.connection, filter, decoded))) {
      unwanted.push(filter);
      continue;
    }
    attach(engine, session, filter, decoded);
    if (isShared(filter) || !engine.routes.hasQueue(filter, session.clientId, decoded)) missing.push(routeOf(engine, filter, session, decoded));
  }
  await engine.changeRoutes(missing);
  if (unwanted.length > 0) await removeStored(engine, session, unwanted);
  await engine.patiently(() => engine.interest.settled());
}

async function isStillAllowed(connection: Connection, filter: string, { qos, noLocal, retainAsPublished }: SubscriptionOptions): Promise<boolean> {
  const { authorizeSubscribe } = connection.engine.hooks;
  if (authorizeSubscribe === null) return true;
  try {
    return (await authorizeSubscribe(connection, { filter, qos, noLocal, retainAsPublished, retainHandling: 2 })) !== null;
  } catch {
    return false;
  }
}

function windowOf(engine: Engine, connect: Connect): number {
  return connect.version === 5 ? connect.receiveMaximum : engine.config.mqtt.maxInflight;
}

function willOf(engine: Engine, connect: Connect): WillOrder | null {
  const { will } = connect;
  return will === null ? null : { record: encodeRecord(willMessage(engine, will, connect.clientId)), delaySeconds: will.delaySeconds };
}

/** The will as a message. Its expiry counts from its publication, so until then the record holds the lifetime [MQTT 5, 3.1.3.2.4]. */
function willMessage(engine: Engine, will: Will, clientId: string): Message {
  const lifetimeMs = expiryAfter(will.expirySeconds, 0);
  return new Message(will.topic, will.payload, will.qos, will.retain, will.properties, lifetimeMs, engine.clock.now(), clientId);
}

function isGone(connection: Connection): boolean {
  return connection.state === 'closed';
}

