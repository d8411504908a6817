import { BrokerError } from '../base/errors.ts';
import { noBytes, type Qos } from '../base/message.ts';
import { isTopicName } from '../base/topic.ts';
import { Body } from './body.ts';
import { byteAt, u16At } from './bytes.ts';
import { encodePacket } from './packet.ts';
import { checkFlags, malformed, protocolError, type ProtocolVersion } from './packets.ts';
import {
  encodeProperties,
  encodePropertyBlock,
  readProperties,
  type PropertiesOf,
  type UserProperties,
} from './properties.ts';

export interface Will {
  topic: string;
  payload: Buffer;
  qos: Qos;
  retain: boolean;
  delaySeconds: number;
  /** -1: never. */
  expirySeconds: number;
  /** 1: the payload is said to be UTF-8. */
  payloadFormat: number;
  /** The properties that travel with the message, encoded as those of a PUBLISH. */
  properties: Buffer;
}

export interface Connect {
  version: ProtocolVersion;
  clientId: string;
  cleanStart: boolean;
  /** 0: switched off. */
  keepAliveSeconds: number;
  username: string | null;
  password: Buffer | null;
  will: Will | null;
  /** MQTT 5; 0 when absent. 0xffffffff: never. */
  sessionExpirySeconds: number;
  /** 65535 when absent. */
  receiveMaximum: number;
  /** 0: as large as MQTT allows. */
  maximumPacketBytes: number;
  topicAliasMaximum: number;
  requestResponseInformation: boolean;
  requestProblemInformation: boolean;
  userProperties: UserProperties;
  authenticationMethod: string | null;
  authenticationData: Buffer | null;
  /** Bit 7 of the level, by which a bridge asks not to get back what it sent and to keep RETAIN; MQTT 3 only. */
  bridge: boolean;
}

const flag = { cleanStart: 0x02, will: 0x04, willQos: 0x18, willRetain: 0x20, password: 0x40, username: 0x80 } as const;

/**
 * Reads a CONNECT. What it gives holds copies, no views of the chunk.
 *
 * Refuses with `unsupported-protocol` when name and level are no version we speak, else with `malformed-packet`,
 * `invalid-utf8`, `protocol-error`, `topic-name-invalid` (of the will) or `client-id-invalid` (empty where the version
 * does not let the server choose one). `connectVersion` tells in which version to answer.
 */
export function readConnect(buffer: Buffer, first: number, start: number, end: number): Connect {
  checkFlags(first, 4);
  const body = new Body('CONNECT', buffer, start, end);
  const level = readProtocol(body);
  const bridge = level > 0x80;
  const version = (level & 0x7f) as ProtocolVersion;

  const flags = body.u8('connect flags');
  checkConnectFlags(flags, version);
  const keepAliveSeconds = body.u16('keep alive');
  const properties = version === 5 ? readProperties(body, 'connect') : {};
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError('CONNECT', 'authentication data without a method [MQTT 5, 3.1.2.11.10]');
  }

  const clientId = body.text('client identifier');
  const cleanStart = (flags & flag.cleanStart) !== 0;
  // MQTT 3.1 wants 1 to 23 characters (the upper end is not enforced by anyone), 3.1.1 a clean session [MQTT-3.1.3-8]
  if (clientId === '' && (version === 3 || (version === 4 && !cleanStart))) {
    throw new BrokerError('client-id-invalid', 'CONNECT: client identifier is empty [MQTT-3.1.3-8]');
  }
  const will = (flags & flag.will) !== 0 ? readWill(body, flags, version) : null;
  // in MQTT 3.1 the length of the packet takes precedence over these two flags [MQTT 3.1, 3.1]
  const hasUsername = (flags & flag.username) !== 0 && !(version === 3 && body.isAtEnd);
  const username = hasUsername ? body.text('user name') : null;
  const hasPassword = (flags & flag.password) !== 0 && !(version === 3 && body.isAtEnd);
  const password = hasPassword ? body.binary('password') : null;
  body.expectEnd();

  return {
    version,
    clientId,
    cleanStart,
    keepAliveSeconds,
    username,
    password,
    will,
    sessionExpirySeconds: properties.sessionExpirySeconds ?? 0,
    receiveMaximum: properties.receiveMaximum ?? 65_535,
    maximumPacketBytes: properties.maximumPacketBytes ?? 0,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    requestResponseInformation: properties.requestResponseInformation ?? false,
    requestProblemInformation: properties.requestProblemInformation ?? true,
    userProperties: properties.userProperties ?? [],
    authenticationMethod: properties.authenticationMethod ?? null,
    authenticationData: properties.authenticationData ?? null,
    bridge,
  };
}

/**
 * The version in which a CONNECT that was refused can be answered: its own, the nearest we speak for an unknown level
 * [MQTT-3.1.2-2], and 0 when it does not even say that it is MQTT: then there is nobody to answer [MQTT-3.1.2-1].
 */
export function connectVersion(buffer: Buffer, start: number, end: number): ProtocolVersion | 0 {
  if (start + 2 > end) return 0;
  const nameEnd = start + 2 + u16At(buffer, start);
  if (nameEnd >= end) return 0;
  const name = buffer.toString('latin1', start + 2, nameEnd);
  if (name === 'MQIsdp') return 3;
  if (name !== 'MQTT') return 0;
  const level = byteAt(buffer, nameEnd);
  return level >= 5 && level < 0x80 ? 5 : 4;
}

/** The level byte of a protocol we speak. */
function readProtocol(body: Body): number {
  const name = body.text('protocol name');
  const level = body.u8('protocol level');
  if (name === 'MQTT' && (level === 4 || level === 5 || level === 0x84)) return level;
  if (name === 'MQIsdp' && (level === 3 || level === 0x83)) return level;
  throw new BrokerError(
    'unsupported-protocol',
    `CONNECT: protocol ${JSON.stringify(name.slice(0, 16))} level ${level} is not spoken here [MQTT-3.1.2-2]`,
  );
}

function checkConnectFlags(flags: number, version: ProtocolVersion): void {
  const willQos = (flags & flag.willQos) >> 3;
  if ((flags & flag.will) !== 0 && willQos === 3) throw malformed('CONNECT', 'will QoS is 3 [MQTT-3.1.2-12]');
  if (version !== 5 && (flags & flag.password) !== 0 && (flags & flag.username) === 0) {
    throw malformed('CONNECT', 'password without user name [MQTT 3.1.1, MQTT-3.1.2-22]');
  }
  // MQTT 3.1 disregards what follows
  if (version === 3) return;
  if ((flags & 0x01) !== 0) throw malformed('CONNECT', 'reserved flag is set [MQTT-3.1.2-3]');
  if ((flags & flag.will) === 0 && (flags & (flag.willQos | flag.willRetain)) !== 0) {
    throw malformed('CONNECT', 'will QoS or will retain without a will [MQTT-3.1.2-11], [MQTT-3.1.2-13]');
  }
}

function readWill(body: Body, flags: number, version: ProtocolVersion): Will {
  const properties: PropertiesOf<'will'> = version === 5 ? readProperties(body, 'will') : {};
  const { delaySeconds = 0, expirySeconds = -1, ...travelling } = properties;
  const topic = body.text('will topic');
  if (!isTopicName(topic)) {
    throw new BrokerError('topic-name-invalid', 'CONNECT: will topic is empty or holds a wildcard [MQTT-3.3.2-2]');
  }
  return {
    topic,
    payload: body.binary('will payload'),
    qos: ((flags & flag.willQos) >> 3) as Qos,
    retain: (flags & flag.willRetain) !== 0,
    delaySeconds,
    expirySeconds,
    payloadFormat: travelling.payloadFormat ?? 0,
    properties: version === 5 ? encodeProperties<'will'>(travelling) : noBytes,
  };
}

export type ConnackProperties = PropertiesOf<'connack'>;

export interface Connack {
  sessionPresent: boolean;
  /** The reason code of MQTT 5 or the return code of MQTT 3, after the version. */
  reason: number;
  /** Written in MQTT 5 only. */
  properties?: ConnackProperties;
}

/** A CONNACK. Session present is never set beside a refusal [MQTT-3.2.2-6]; MQTT 3.1 does not know it. */
export function encodeConnack(connack: Connack, version: ProtocolVersion): Buffer {
  const present = connack.sessionPresent && connack.reason === 0 && version !== 3;
  const head = [present ? 1 : 0, connack.reason];
  if (version !== 5) return encodePacket(0x20, head);
  return encodePacket(0x20, head, encodePropertyBlock<'connack'>(connack.properties ?? {}));
}
