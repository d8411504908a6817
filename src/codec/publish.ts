import { BrokerError } from '../base/errors.ts';
import { noBytes, type Qos } from '../base/message.ts';
import { putU16, putU32, putVarint, u16At, varintBytes } from './bytes.ts';
import { malformed, protocolError, type ProtocolVersion } from './packets.ts';
import { readPublishProperties } from './publish-properties.ts';
import { propertyId } from './properties.ts';
import { putText, readTopicName } from './text.ts';

export { maxAckBytes, readAck, writeAck, type IncomingAck } from './ack.ts';
export { utf8Bytes } from './text.ts';

/**
 * A PUBLISH as it came in. One object is read into again and again: take what must outlive the next packet.
 *
 * `payload` and, most of the time, `properties` are views of the chunk that was read.
 */
export interface IncomingPublish {
  /** Empty when only a topic alias names it. */
  topic: string;
  qos: Qos;
  retain: boolean;
  dup: boolean;
  /** 0 for QoS 0. */
  packetId: number;
  /** 0: none. */
  topicAlias: number;
  /** Message Expiry Interval; -1: none. */
  expirySeconds: number;
  /** 1: the publisher says that the payload is UTF-8. */
  payloadFormat: number;
  /** The properties that travel with the message: all but topic alias and message expiry, in their order. */
  properties: Buffer;
  payload: Buffer;
}

export function newIncomingPublish(): IncomingPublish {
  return {
    topic: '',
    qos: 0,
    retain: false,
    dup: false,
    packetId: 0,
    topicAlias: 0,
    expirySeconds: -1,
    payloadFormat: 0,
    properties: noBytes,
    payload: noBytes,
  };
}

/**
 * Reads a PUBLISH from a client into `into`, without a copy of payload and properties.
 *
 * Refuses with `malformed-packet`, `invalid-utf8`, `topic-name-invalid`, `topic-alias-invalid` or `protocol-error`;
 * what `into` holds then is of no meaning. Whether an alias is known, and whether the payload is the text it is said to
 * be, is not looked at.
 */
export function readPublish(
  buffer: Buffer,
  first: number,
  start: number,
  end: number,
  version: ProtocolVersion,
  into: IncomingPublish,
): void {
  const qos = (first >> 1) & 0x03;
  if (qos === 3) throw malformed('PUBLISH', 'QoS is 3 [MQTT-3.3.1-4]');
  into.qos = qos as Qos;
  into.dup = (first & 0x08) !== 0;
  into.retain = (first & 0x01) !== 0;
  if (into.dup && qos === 0) throw malformed('PUBLISH', 'DUP is set with QoS 0 [MQTT-3.3.1-2]');

  if (start + 2 > end) throw malformed('PUBLISH', 'topic name is cut off');
  let at = start + 2;
  const topicEnd = at + u16At(buffer, start);
  if (topicEnd > end) throw malformed('PUBLISH', 'topic name is cut off');
  into.topic = topicEnd === at ? '' : readTopicName(buffer, at, topicEnd);
  at = topicEnd;

  into.packetId = 0;
  if (qos > 0) {
    if (at + 2 > end) throw malformed('PUBLISH', 'packet identifier is cut off');
    into.packetId = u16At(buffer, at);
    if (into.packetId === 0) throw protocolError('PUBLISH', 'packet identifier is 0 [MQTT-2.2.1-3]');
    at += 2;
  }

  into.topicAlias = 0;
  into.expirySeconds = -1;
  into.payloadFormat = 0;
  into.properties = noBytes;
  if (version === 5) at = readPublishProperties(buffer, at, end, into);
  if (into.topic.length === 0 && into.topicAlias === 0) {
    // an empty name without an alias is a protocol error in MQTT 5 [3.3.2.1], no name at all before it [MQTT-4.7.3-1]
    if (version === 5)
      throw protocolError('PUBLISH', 'topic name is empty and there is no topic alias [MQTT 5, 3.3.2.1]');
    throw new BrokerError('topic-name-invalid', 'PUBLISH: topic name is empty [MQTT-4.7.3-1]');
  }
  into.payload = at === end ? noBytes : buffer.subarray(at, end);
}

/** How many bytes `writePublishHead` writes for the same values: all of the packet but its payload. */
export function publishHeadBytes(
  topicBytes: number,
  payloadBytes: number,
  propertiesBytes: number,
  qos: Qos,
  version: ProtocolVersion,
  expirySeconds: number,
  subscriptionIds: Buffer,
  topicAlias: number,
): number {
  let head = 2 + topicBytes + (qos > 0 ? 2 : 0);
  if (version === 5) {
    const bytes = outgoingPropertiesBytes(propertiesBytes, expirySeconds, subscriptionIds, topicAlias);
    head += varintBytes(bytes) + bytes;
  }
  return 1 + varintBytes(head + payloadBytes) + head;
}

/**
 * Writes a PUBLISH up to its payload and gives the offset after it; `payloadBytes` have to follow.
 *
 * `topicBytes` is the topic's length in UTF-8, or 0 to leave it to the alias. `properties` are travelling properties,
 * `subscriptionIds` encoded Subscription Identifier properties; neither is written before MQTT 5. `expirySeconds` -1 and
 * `topicAlias` 0 mean none. Nothing is checked: `target` has `publishHeadBytes` of room, and the packet its size.
 */
export function writePublishHead(
  target: Buffer,
  at: number,
  topic: string,
  topicBytes: number,
  payloadBytes: number,
  properties: Buffer,
  qos: Qos,
  retain: boolean,
  dup: boolean,
  packetId: number,
  version: ProtocolVersion,
  expirySeconds: number,
  subscriptionIds: Buffer,
  topicAlias: number,
): number {
  let remaining = 2 + topicBytes + (qos > 0 ? 2 : 0) + payloadBytes;
  let bytes = 0;
  if (version === 5) {
    bytes = outgoingPropertiesBytes(properties.length, expirySeconds, subscriptionIds, topicAlias);
    remaining += varintBytes(bytes) + bytes;
  }
  target[at] = 0x30 | (dup ? 0x08 : 0) | (qos << 1) | (retain ? 0x01 : 0);
  at = putVarint(target, at + 1, remaining);
  at = putU16(target, at, topicBytes);
  if (topicBytes > 0) at = putText(target, at, topic, topicBytes);
  if (qos > 0) at = putU16(target, at, packetId);
  if (version !== 5) return at;

  at = putVarint(target, at, bytes);
  if (topicAlias > 0) {
    target[at] = propertyId.topicAlias;
    at = putU16(target, at + 1, topicAlias);
  }
  if (expirySeconds >= 0) {
    target[at] = propertyId.expirySeconds;
    at = putU32(target, at + 1, expirySeconds);
  }
  if (subscriptionIds.length > 0) at += subscriptionIds.copy(target, at);
  if (properties.length > 0) at += properties.copy(target, at);
  return at;
}

function outgoingPropertiesBytes(
  propertiesBytes: number,
  expirySeconds: number,
  subscriptionIds: Buffer,
  topicAlias: number,
): number {
  return propertiesBytes + subscriptionIds.length + (expirySeconds >= 0 ? 5 : 0) + (topicAlias > 0 ? 3 : 0);
}
