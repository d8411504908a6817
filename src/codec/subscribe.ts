import { BrokerError } from '../base/errors.ts';
import { noBytes, type Qos } from '../base/message.ts';
import { isTopicFilter, parseShared } from '../base/topic.ts';
import { Body } from './body.ts';
import { encodePacket } from './packet.ts';
import { checkFlags, malformed, packetName, protocolError, type ProtocolVersion } from './packets.ts';
import { encodeProperties, readProperties, type UserProperties } from './properties.ts';

/** A property block without properties. */
const noProperties = [0];

export interface SubscribeRequest {
  filter: string;
  qos: Qos;
  /** This and the next two are false, false and 0 before MQTT 5. */
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: 0 | 1 | 2;
}

export interface Subscribe {
  packetId: number;
  /** 0: none. */
  subscriptionId: number;
  userProperties: UserProperties;
  requests: SubscribeRequest[];
}

export interface Unsubscribe {
  packetId: number;
  filters: string[];
}

/**
 * Reads a SUBSCRIBE. Refuses with `malformed-packet`, `invalid-utf8`, `protocol-error` or `topic-filter-invalid`.
 *
 * A filter whose form breaks [MQTT-4.7.1-1] and its neighbours condemns the packet: the codes of a SUBACK are for
 * filters that are well-formed and not wanted [MQTT 5, 3.9.3]. `$share` has a form only in MQTT 5 [MQTT-4.8.2-1]; to
 * MQTT 3 it is a filter like another.
 */
export function readSubscribe(
  buffer: Buffer,
  first: number,
  start: number,
  end: number,
  version: ProtocolVersion,
): Subscribe {
  const body = openList(buffer, first, start, end, version);
  const packetId = readPacketId(body);
  const properties = version === 5 ? readProperties(body, 'subscribe') : {};
  if (body.isAtEnd) throw protocolError('SUBSCRIBE', 'no topic filter [MQTT-3.8.3-2]');
  const requests: SubscribeRequest[] = [];
  while (!body.isAtEnd) {
    const filter = readFilter(body, version);
    const options = body.u8('subscription options');
    requests.push(version === 5 ? readOptions(filter, options) : readRequestedQos(filter, options, version));
  }
  return {
    packetId,
    subscriptionId: properties.subscriptionId ?? 0,
    userProperties: properties.userProperties ?? [],
    requests,
  };
}

/** Reads an UNSUBSCRIBE; refuses as `readSubscribe` does. */
export function readUnsubscribe(
  buffer: Buffer,
  first: number,
  start: number,
  end: number,
  version: ProtocolVersion,
): Unsubscribe {
  const body = openList(buffer, first, start, end, version);
  const packetId = readPacketId(body);
  if (version === 5) readProperties(body, 'unsubscribe');
  if (body.isAtEnd) throw protocolError('UNSUBSCRIBE', 'no topic filter [MQTT-3.10.3-2]');
  const filters: string[] = [];
  while (!body.isAtEnd) filters.push(readFilter(body, version));
  return { packetId, filters };
}

/** One reason for each request, in their order; before MQTT 5 every failure is 0x80. [MQTT-3.9.3-1], [MQTT-3.9.3-2] */
export function encodeSuback(packetId: number, reasons: readonly number[], version: ProtocolVersion): Buffer {
  if (version === 5) return encodePacket(0x90, identifier(packetId), noProperties, reasons);
  return encodePacket(0x90, identifier(packetId), reasons.map((reason) => Math.min(reason, 0x80)));
}

/** One reason for each filter, in their order; MQTT 3 has none. [MQTT-3.11.3-1] */
export function encodeUnsuback(packetId: number, reasons: readonly number[], version: ProtocolVersion): Buffer {
  if (version === 5) return encodePacket(0xb0, identifier(packetId), noProperties, reasons);
  return encodePacket(0xb0, identifier(packetId));
}

/** A Subscription Identifier as it stands in a PUBLISH to the subscriber; nothing for 0 (none). [MQTT-3.3.4-3] */
export function encodeSubscriptionId(subscriptionId: number): Buffer {
  return subscriptionId === 0 ? noBytes : encodeProperties<'publish'>({ subscriptionId });
}

function openList(buffer: Buffer, first: number, start: number, end: number, version: ProtocolVersion): Body {
  checkFlags(first, version);
  return new Body(packetName(first), buffer, start, end);
}

function readPacketId(body: Body): number {
  const packetId = body.u16('packet identifier');
  if (packetId === 0) throw protocolError(body.packet, 'packet identifier is 0 [MQTT-2.2.1-3]');
  return packetId;
}

function readFilter(body: Body, version: ProtocolVersion): string {
  const filter = body.text('topic filter');
  if (!isTopicFilter(filter)) {
    const what = filter === '' ? 'is empty [MQTT-4.7.3-1]' : 'has a misplaced wildcard [MQTT-4.7.1-1], [MQTT-4.7.1-2]';
    throw new BrokerError('topic-filter-invalid', `${body.packet}: topic filter "${filter}" ${what}`);
  }
  if (version === 5 && parseShared(filter) === 'invalid') {
    throw new BrokerError(
      'topic-filter-invalid',
      `${body.packet}: topic filter "${filter}" is not $share/<name>/<filter> [MQTT-4.8.2-1], [MQTT-4.8.2-2]`,
    );
  }
  return filter;
}

function readOptions(filter: string, options: number): SubscribeRequest {
  if (options >= 0x40) throw malformed('SUBSCRIBE', 'reserved bits of the subscription options are set [MQTT-3.8.3-5]');
  const qos = options & 0x03;
  const noLocal = (options & 0x04) !== 0;
  const retainHandling = options >> 4;
  if (qos === 3) throw protocolError('SUBSCRIBE', 'QoS is 3 [MQTT 5, 3.8.3.1]');
  if (retainHandling === 3) throw protocolError('SUBSCRIBE', 'retain handling is 3 [MQTT 5, 3.8.3.1]');
  if (noLocal && parseShared(filter) !== null) {
    throw protocolError('SUBSCRIBE', `no local on the shared subscription "${filter}" [MQTT-3.8.3-4]`);
  }
  return {
    filter,
    qos: qos as Qos,
    noLocal,
    retainAsPublished: (options & 0x08) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  };
}

/** Before MQTT 5 the options are a QoS; MQTT 3.1 does not use the other bits, MQTT 3.1.1 reserves them. */
function readRequestedQos(filter: string, options: number, version: ProtocolVersion): SubscribeRequest {
  const qos = version === 3 ? options & 0x03 : options;
  if (qos > 2) throw malformed('SUBSCRIBE', `requested QoS is ${qos} [MQTT-3-8.3-4]`);
  return { filter, qos: qos as Qos, noLocal: false, retainAsPublished: false, retainHandling: 0 };
}

function identifier(packetId: number): readonly number[] {
  return [packetId >>> 8, packetId & 0xff];
}
