import type { AedesPublishPacket, ConnectPacket, PublishPacket, Subscription } from 'aedes';
import { BrokerError } from '../base/errors.ts';
import { expiryAfter, expiryLeft, Message, noBytes, type Qos } from '../base/message.ts';
import { isTopicFilter, isTopicName } from '../base/topic.ts';
import { Body } from '../codec/body.ts';
import type { Connect, Will } from '../codec/connect.ts';
import { encodeProperties, readPropertyList, type UserProperties } from '../codec/properties.ts';
import type { SubscribeRequest } from '../codec/subscribe.ts';
import type { ProtocolVersion } from '../codec/packets.ts';

/** A packet to publish. What is absent is QoS 0, not retained, empty. */
export type PacketToPublish = Pick<PublishPacket, 'topic'> & Partial<PublishPacket>;

type Properties = NonNullable<PublishPacket['properties']>;
type UserPropertyTable = NonNullable<Properties['userProperties']>;

/** Counts the packets that were shown, as Aedes does. */
let counter = 0;

/** A message as Aedes shows it to hooks and listeners. */
export function toPacket(message: Message, brokerId: string, nowMs: number): AedesPublishPacket {
  const { topic, payload, qos, retain, publisher } = message;
  const packet = { cmd: 'publish', brokerId, brokerCounter: ++counter, topic, payload, qos, retain, dup: false };
  if (publisher !== '') Object.assign(packet, { clientId: publisher });
  if (message.properties.length > 0 || message.expiresAt !== 0) Object.assign(packet, { properties: propertiesOf(message, nowMs) });
  return packet as AedesPublishPacket;
}

/**
 * The message after a hook saw it as a packet: the same one when nothing was changed. Topic, payload, RETAIN and properties may
 * be; the QoS may not, for it is what the publisher is answered by.
 *
 * Throws `topic-name-invalid` when what is there now is no topic name.
 */
export function changedBy(packet: PublishPacket, message: Message, nowMs: number): Message {
  const hasProperties = packet.properties !== undefined || message.properties.length > 0 || message.expiresAt !== 0;
  // compared in one form, and kept as they came when equal: the table of a packet does not keep the order of user properties
  const after = hasProperties ? fromProperties(packet.properties) : null;
  const before = hasProperties ? fromProperties(propertiesOf(message, nowMs)) : null;
  const isSame = after === null || before === null || (after.expirySeconds === before.expirySeconds && after.bytes.equals(before.bytes));
  const { topic, payload } = packet;
  if (isSame && topic === message.topic && payload === message.payload && packet.retain === message.retain) return message;
  checkTopicName(topic);
  return new Message(
    topic,
    bytesOf(payload),
    message.qos,
    packet.retain,
    isSame ? message.properties : after.bytes,
    isSame ? message.expiresAt : expiryAfter(after.expirySeconds, nowMs),
    message.publishedAt,
    message.publisher,
  );
}

/** Throws `topic-name-invalid` or `qos-not-supported` when it cannot be published. */
export function fromPacket(packet: PacketToPublish, publisher: string, nowMs: number): Message {
  const { topic, qos = 0 } = packet;
  checkTopicName(topic);
  const properties = fromProperties(packet.properties);
  return new Message(
    topic,
    bytesOf(packet.payload),
    checkQos(qos),
    packet.retain ?? false,
    properties.bytes,
    expiryAfter(properties.expirySeconds, nowMs),
    nowMs,
    publisher,
  );
}

export function toConnectPacket(connect: Connect): ConnectPacket {
  const { version, will, username, password } = connect;
  const packet: ConnectPacket = {
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    clean: connect.cleanStart,
    clientId: connect.clientId,
    keepalive: connect.keepAliveSeconds,
  };
  if (username !== null) packet.username = username;
  if (password !== null) packet.password = password;
  if (will !== null) packet.will = { topic: will.topic, payload: will.payload, qos: will.qos, retain: will.retain };
  if (version === 5) {
    packet.properties = { sessionExpiryInterval: connect.sessionExpirySeconds, receiveMaximum: connect.receiveMaximum };
    if (connect.userProperties.length > 0) packet.properties.userProperties = toTable(connect.userProperties);
  }
  return packet;
}

/** Takes over what a hook changed: client id, clean, keep alive, user name, password and will. */
export function takeOver(connect: Connect, packet: ConnectPacket): void {
  connect.clientId = packet.clientId;
  connect.cleanStart = packet.clean ?? true;
  connect.keepAliveSeconds = packet.keepalive ?? 0;
  connect.username = packet.username ?? null;
  connect.password = packet.password ?? null;
  connect.will = packet.will ? changedWill(connect.will, packet.will) : null;
}

/** `version` 5 shows all options; MQTT 3 has only the QoS. */
export function toSubscription({ filter, qos, noLocal, retainAsPublished, retainHandling }: SubscribeRequest, version: ProtocolVersion): Subscription {
  return version === 5 ? { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling } : { topic: filter, qos };
}

/** Throws `topic-filter-invalid` or `qos-not-supported` when nobody can subscribe to it. */
export function fromSubscription({ topic, qos, nl, rap, rh }: Subscription): SubscribeRequest {
  if (typeof topic !== 'string' || !isTopicFilter(topic)) throw new BrokerError('topic-filter-invalid', `${JSON.stringify(topic)} is no topic filter`);
  return { filter: topic, qos: checkQos(qos), noLocal: nl ?? false, retainAsPublished: rap ?? false, retainHandling: (rh ?? 0) as 0 | 1 | 2 };
}

function changedWill(will: Will | null, { topic, payload, qos, retain }: NonNullable<ConnectPacket['will']>): Will {
  checkTopicName(topic);
  const rest = will ?? { delaySeconds: 0, expirySeconds: -1, payloadFormat: 0, properties: noBytes };
  return { ...rest, topic, payload: bytesOf(payload), qos: checkQos(qos ?? 0), retain: retain ?? false };
}

function propertiesOf(message: Message, nowMs: number): Properties {
  const { properties, expiresAt } = message;
  const { payloadFormat, contentType, responseTopic, correlationData, userProperties } = readPropertyList(
    new Body('PUBLISH', properties, 0, properties.length),
    'publish',
  );
  return {
    ...(payloadFormat !== undefined ? { payloadFormatIndicator: payloadFormat === 1 } : {}),
    ...(expiresAt !== 0 ? { messageExpiryInterval: expiryLeft(message, nowMs) } : {}),
    ...(contentType !== undefined ? { contentType } : {}),
    ...(responseTopic !== undefined ? { responseTopic } : {}),
    ...(correlationData !== undefined ? { correlationData } : {}),
    ...(userProperties !== undefined ? { userProperties: toTable(userProperties) } : {}),
  };
}

/** The properties that travel with a message, encoded, and the one that does not. */
function fromProperties(properties: Properties | undefined): { bytes: Buffer; expirySeconds: number } {
  if (properties === undefined) return { bytes: noBytes, expirySeconds: -1 };
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData, userProperties } = properties;
  const bytes = encodeProperties<'publish'>({
    payloadFormat: payloadFormatIndicator === undefined ? undefined : payloadFormatIndicator ? 1 : 0,
    contentType,
    responseTopic,
    correlationData,
    userProperties: userProperties === undefined ? undefined : toPairs(userProperties),
  });
  return { bytes, expirySeconds: messageExpiryInterval ?? -1 };
}

function toTable(pairs: UserProperties): UserPropertyTable {
  const table = Object.create(null) as UserPropertyTable;
  for (const [name, value] of pairs) {
    const standing = table[name];
    table[name] = standing === undefined ? value : [standing, value].flat();
  }
  return table;
}

function toPairs(table: UserPropertyTable): UserProperties {
  return Object.entries(table).flatMap(([name, values]) => [values].flat().map((value): [string, string] => [name, value]));
}

function bytesOf(payload: string | Buffer | undefined): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : (payload ?? noBytes);
}

function checkTopicName(topic: unknown): void {
  if (typeof topic !== 'string' || !isTopicName(topic)) {
    throw new BrokerError('topic-name-invalid', `${JSON.stringify(topic)} is no topic name: it must not be empty or hold a wildcard [MQTT-3.3.2-2]`);
  }
}

function checkQos(qos: number): Qos {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new BrokerError('qos-not-supported', `QoS ${qos} is none of 0, 1, 2`);
  return qos;
}
