import { BrokerError, asBrokerError } from '../base/errors.ts';
import { expiryAfter, Message } from '../base/message.ts';
import { reasons } from '../base/reasons.ts';
import { newIncomingPublish, readPublish } from '../codec/publish.ts';
import { reasonIn } from '../codec/reason-codes.ts';
import { encodeRecord } from '../codec/record.ts';
import type { Connection } from './connection.ts';
import type { Decision } from './hooks.ts';
import { beyondOffer, isOfFormat, wrongFormat } from './offer.ts';
import { noOrigin, publish, type Origin } from './publish.ts';
import type { Session } from './session.ts';
import { deliverQueued } from './spread.ts';

/** Read into again for each packet: nothing of it outlives the call. */
const incoming = newIncomingPublish();

/** PUBLISH from a client [MQTT 5, 3.3]. */
export function handlePublish(connection: Connection, session: Session): void {
  const { engine, reader } = connection;
  const { mqtt } = engine.config;
  readPublish(reader.buffer, reader.first, reader.start, reader.end, connection.version, incoming);
  const { qos, packetId } = incoming;
  engine.count.publishBytesReceived.value += incoming.payload.length;
  const topic = incoming.topicAlias === 0 ? incoming.topic : aliased(connection);
  if (topic.length === 0) throw new BrokerError('topic-name-invalid', 'PUBLISH: the topic is empty [MQTT-4.7.3-1]');
  if (levels(topic) > mqtt.maxTopicLevels) {
    throw new BrokerError('topic-name-invalid', `PUBLISH: the topic has more than ${mqtt.maxTopicLevels} levels`);
  }
  if (qos > mqtt.maximumQos || (incoming.retain && !mqtt.retainAvailable)) throw beyondOffer('PUBLISH', mqtt, qos);
  const isRepetition = qos === 2 && session.incoming?.has(packetId) === true;
  if (qos > 0 && !isRepetition) {
    admit(connection, session);
    if (qos === 2) (session.incoming ??= new Map()).set(packetId, false);
  }
  const now = engine.clock.now();
  const message = new Message(
    topic,
    incoming.payload,
    qos,
    incoming.retain,
    incoming.properties,
    expiryAfter(incoming.expirySeconds, now),
    now,
    session.clientId,
  );
  if (isRepetition) {
    repeat(connection, session, message, packetId);
    return;
  }
  const isNoted = qos > 0 || engine.hooks.onPublished !== null;
  const origin: Origin = isNoted ? { session, packetId, done: null } : noOrigin;
  if (mqtt.checkPayloadFormat && !isOfFormat(incoming.payloadFormat, incoming.payload)) {
    refuse(connection, session, message, origin, wrongFormat('PUBLISH: the payload'));
    return;
  }
  authorize(connection, session, message, origin);
}

/**
 * A QoS 2 message that came before is answered when that one was committed, and never published again [MQTT-4.3.3-10]. Where
 * it was queued it is looked for: the node that took it may have died before it told.
 */
function repeat(connection: Connection, session: Session, message: Message, packetId: number): void {
  if (session.incoming?.get(packetId) !== true) return;
  const { engine } = connection;
  deliverQueued(engine, message, encodeRecord(message), engine.routes.matchFor(message.topic, message.publisher), null);
  connection.sendAck(5, packetId, 0);
}

function authorize(connection: Connection, session: Session, message: Message, origin: Origin): void {
  const { hooks } = connection.engine;
  if (hooks.authorizePublish === null) {
    if (message.topic.startsWith('$SYS/')) refuse(connection, session, message, origin, new BrokerError('not-authorized', '$SYS/ is the broker\'s own'));
    else enter(connection, message, origin);
    return;
  }
  let decision: Decision<Message>;
  try {
    decision = hooks.authorizePublish(connection, message);
  } catch (error) {
    refuse(connection, session, message, origin, error);
    return;
  }
  if (!(decision instanceof Promise)) {
    enter(connection, decision, origin);
    return;
  }
  connection.waitFor(
    decision.then(
      (allowed) => { enter(connection, allowed, origin); },
      (error: unknown) => { refuse(connection, session, message, origin, error); },
    ),
  );
}

/** Into the broker; or, while a full outbox blocks it, beside it until there is room, with the publisher held back. */
function enter(connection: Connection, message: Message, origin: Origin): void {
  const { engine } = connection;
  if (message.qos > 0 && engine.outboxGate.blocks(message)) {
    engine.outboxGate.park(connection, message, origin);
    return;
  }
  publish(engine, message, origin);
  if (message.qos > 0 && (engine.commit.isFull || isFarAhead(connection, origin.session!))) engine.commit.holdBack(connection);
}

/**
 * MQTT 5 is told by a reason code; MQTT 3 has no word for it and is closed [MQTT-3.3.5-2]. A QoS 0 message has no answer: one
 * that its client may not send is passed over, one that is not what it says ends the connection [MQTT 5, 3.3.2.3.2].
 */
function refuse(connection: Connection, session: Session, message: Message, origin: Origin, error: unknown): void {
  const { engine } = connection;
  const failure = asBrokerError(error);
  engine.count.dropped.of(failure.code === 'payload-format-invalid' ? failure.code : 'not-authorized').value++;
  if (message.qos === 2) session.incoming?.delete(origin.packetId);
  if (message.qos > 0) {
    session.receiving--;
    session.committing--;
  }
  if (connection.version !== 5 || (message.qos === 0 && failure.code === 'payload-format-invalid')) {
    connection.close(failure);
    return;
  }
  const code = reasonIn('puback', reasons[failure.code].v5);
  if (message.qos === 1) connection.sendAck(4, origin.packetId, code);
  else if (message.qos === 2) connection.sendAck(5, origin.packetId, code);
}

/** Counts the message against Receive Maximum [MQTT-3.3.4-9]. */
function admit(connection: Connection, session: Session): void {
  const { receiveMaximum } = connection.engine.config.mqtt;
  if (connection.version === 5 && session.receiving >= receiveMaximum) {
    throw new BrokerError('receive-maximum-exceeded', `PUBLISH: more than ${receiveMaximum} messages are not acknowledged yet [MQTT-3.3.4-9]`);
  }
  session.receiving++;
  session.committing++;
}

/** MQTT 3 knows no Receive Maximum: such a client is read more slowly instead. */
function isFarAhead(connection: Connection, session: Session): boolean {
  return connection.version !== 5 && session.committing >= connection.engine.config.mqtt.receiveMaximum;
}

/** The topic behind an alias, or a new alias learned [MQTT 5, 3.3.2.3.4]. */
function aliased(connection: Connection): string {
  const { topic, topicAlias } = incoming;
  const { topicAliasMaximum } = connection.engine.config.mqtt;
  if (topicAlias > topicAliasMaximum) {
    throw new BrokerError('topic-alias-invalid', `PUBLISH: topic alias ${topicAlias} is over the maximum of ${topicAliasMaximum} [MQTT-3.3.2-9]`);
  }
  if (topic.length > 0) {
    (connection.topicAliases ??= new Map()).set(topicAlias, topic);
    return topic;
  }
  const known = connection.topicAliases?.get(topicAlias);
  if (known === undefined) throw new BrokerError('protocol-error', `PUBLISH: topic alias ${topicAlias} was not set before [MQTT-3.3.2-7]`);
  return known;
}

export function levels(topic: string): number {
  let count = 1;
  for (let at = topic.indexOf('/'); at >= 0; at = topic.indexOf('/', at + 1)) count++;
  return count;
}
