import { BrokerError } from '../base/errors.ts';
import { noBytes } from '../base/message.ts';
import { isTopicName } from '../base/topic.ts';
import type { Body } from './body.ts';
import { putU16, putU32, putVarint, varintBytes } from './bytes.ts';
import { malformed, protocolError } from './packets.ts';

/**
 * The properties of MQTT 5 [MQTT 5, 2.2.2.2, table 2-4]: identifier, type, and the packets it may stand in (`will`: the
 * will properties of CONNECT). Whatever reads or writes properties is driven by this table.
 *
 * A property stands at most once in a packet, except a `pair`, whose order is kept, and the subscription identifiers
 * of a PUBLISH. `flag` and `bit` are a byte that is 0 or 1. `positive` properties are not 0.
 */
const table = [
  { id: 0x01, name: 'payloadFormat', type: 'bit', in: ['publish', 'will'] },
  { id: 0x02, name: 'expirySeconds', type: 'u32', in: ['publish', 'will'] },
  { id: 0x03, name: 'contentType', type: 'text', in: ['publish', 'will'] },
  { id: 0x08, name: 'responseTopic', type: 'text', in: ['publish', 'will'] },
  { id: 0x09, name: 'correlationData', type: 'binary', in: ['publish', 'will'] },
  { id: 0x0b, name: 'subscriptionId', type: 'varint', positive: true, in: ['publish', 'subscribe'] },
  { id: 0x11, name: 'sessionExpirySeconds', type: 'u32', in: ['connect', 'connack', 'disconnect'] },
  { id: 0x12, name: 'assignedClientId', type: 'text', in: ['connack'] },
  { id: 0x13, name: 'serverKeepAliveSeconds', type: 'u16', in: ['connack'] },
  { id: 0x15, name: 'authenticationMethod', type: 'text', in: ['connect', 'connack', 'auth'] },
  { id: 0x16, name: 'authenticationData', type: 'binary', in: ['connect', 'connack', 'auth'] },
  { id: 0x17, name: 'requestProblemInformation', type: 'flag', in: ['connect'] },
  { id: 0x18, name: 'delaySeconds', type: 'u32', in: ['will'] },
  { id: 0x19, name: 'requestResponseInformation', type: 'flag', in: ['connect'] },
  { id: 0x1a, name: 'responseInformation', type: 'text', in: ['connack'] },
  { id: 0x1c, name: 'serverReference', type: 'text', in: ['connack', 'disconnect'] },
  {
    id: 0x1f,
    name: 'reasonString',
    type: 'text',
    in: ['connack', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback', 'disconnect', 'auth'],
  },
  { id: 0x21, name: 'receiveMaximum', type: 'u16', positive: true, in: ['connect', 'connack'] },
  { id: 0x22, name: 'topicAliasMaximum', type: 'u16', in: ['connect', 'connack'] },
  { id: 0x23, name: 'topicAlias', type: 'u16', positive: true, in: ['publish'] },
  { id: 0x24, name: 'maximumQos', type: 'bit', in: ['connack'] },
  { id: 0x25, name: 'retainAvailable', type: 'flag', in: ['connack'] },
  {
    id: 0x26,
    name: 'userProperties',
    type: 'pair',
    in: [
      'connect',
      'connack',
      'publish',
      'will',
      'puback',
      'pubrec',
      'pubrel',
      'pubcomp',
      'subscribe',
      'suback',
      'unsubscribe',
      'unsuback',
      'disconnect',
      'auth',
    ],
  },
  { id: 0x27, name: 'maximumPacketBytes', type: 'u32', positive: true, in: ['connect', 'connack'] },
  { id: 0x28, name: 'wildcardAvailable', type: 'flag', in: ['connack'] },
  { id: 0x29, name: 'subscriptionIdsAvailable', type: 'flag', in: ['connack'] },
  { id: 0x2a, name: 'sharedAvailable', type: 'flag', in: ['connack'] },
] as const;

type Row = (typeof table)[number];

/** Where properties stand: a packet, or the will in CONNECT. */
export type PropertyPlace = Row['in'][number];

export type UserProperties = readonly [string, string][];

interface Values {
  flag: boolean;
  bit: 0 | 1;
  u16: number;
  u32: number;
  varint: number;
  text: string;
  binary: Buffer;
  pair: UserProperties;
}

/** The properties that may stand in a place, by name. */
export type PropertiesOf<Place extends PropertyPlace> = {
  [R in Row as Place extends R['in'][number] ? R['name'] : never]?: Values[R['type']] | undefined;
};

/** The identifier of each property by its name. */
export const propertyId = Object.fromEntries(table.map((row) => [row.name, row.id])) as {
  readonly [R in Row as R['name']]: R['id'];
};

const rows = new Map<number, Row>(table.map((row) => [row.id, row]));

/**
 * Reads the properties that start with their length at the body's position.
 *
 * An identifier that is unknown or does not belong there is malformed [MQTT 5, 2.2.2.2]; a second one of a kind, or a
 * value that its paragraph excludes, is a protocol error [MQTT 5, 3.1.2.11, 3.8.2.1 and their like].
 */
export function readProperties<Place extends PropertyPlace>(body: Body, place: Place): PropertiesOf<Place> {
  return readPropertyList(body.part(body.varint('property length'), 'properties'), place);
}

/** The same where a body holds nothing but properties, without their length. */
export function readPropertyList<Place extends PropertyPlace>(part: Body, place: Place): PropertiesOf<Place> {
  const values: Record<string, Values[keyof Values]> = {};
  const pairs: [string, string][] = [];
  while (!part.isAtEnd) {
    const id = part.varint('property identifier');
    const row = rows.get(id);
    if (row === undefined || !(row.in as readonly PropertyPlace[]).includes(place)) {
      throw malformed(part.packet, `property ${id} does not belong here [MQTT 5, 2.2.2.2]`);
    }
    if (row.type === 'pair') {
      pairs.push([part.text('user property name'), part.text('user property value')]);
      continue;
    }
    if (row.name in values) throw protocolError(part.packet, `${row.name} stands twice`);
    const value = readValue(part, row.type, row.name);
    if ('positive' in row && value === 0) throw protocolError(part.packet, `${row.name} is 0`);
    if (row.name === 'responseTopic' && !isTopicName(value as string)) {
      throw protocolError(part.packet, 'responseTopic is empty or holds a wildcard [MQTT-3.3.2-14]');
    }
    values[row.name] = value;
  }
  if (pairs.length > 0) values['userProperties'] = pairs;
  return values as PropertiesOf<Place>;
}

function readValue(body: Body, type: Exclude<Row['type'], 'pair'>, name: string): Values[keyof Values] {
  switch (type) {
    case 'u16':
      return body.u16(name);
    case 'u32':
      return body.u32(name);
    case 'varint':
      return body.varint(name);
    case 'text':
      return body.text(name);
    case 'binary':
      return body.binary(name);
    case 'flag':
    case 'bit': {
      const value = body.u8(name);
      if (value > 1) throw protocolError(body.packet, `${name} is ${value}, neither 0 nor 1`);
      return type === 'flag' ? value === 1 : (value);
    }
  }
}

/** Properties as bytes, in the order of the table, without the length before them. Undefined ones are left out. */
export function encodeProperties<Place extends PropertyPlace>(properties: PropertiesOf<Place>): Buffer {
  const values = properties as Record<string, Values[keyof Values] | undefined>;
  const parts: Buffer[] = [];
  for (const { id, name, type } of table) {
    const value = values[name];
    if (value === undefined) continue;
    if (typeof value === 'string') parts.push(Buffer.of(id), encodeBytes(Buffer.from(value), name));
    else if (Buffer.isBuffer(value)) parts.push(Buffer.of(id), encodeBytes(value, name));
    else if (typeof value === 'object') {
      for (const [key, text] of value) {
        parts.push(Buffer.of(id), encodeBytes(Buffer.from(key), name), encodeBytes(Buffer.from(text), name));
      }
    } else parts.push(Buffer.of(id), encodeNumber(Number(value), type));
  }
  return parts.length === 0 ? noBytes : Buffer.concat(parts);
}

/** Properties with their length before them, as they stand in a packet. */
export function encodePropertyBlock<Place extends PropertyPlace>(properties: PropertiesOf<Place>): Buffer {
  const bytes = encodeProperties(properties);
  const block = Buffer.allocUnsafe(varintBytes(bytes.length) + bytes.length);
  bytes.copy(block, putVarint(block, 0, bytes.length));
  return block;
}

function encodeNumber(value: number, type: Row['type']): Buffer {
  const bytes = type === 'u32' ? 4 : type === 'u16' ? 2 : type === 'varint' ? varintBytes(value) : 1;
  const target = Buffer.allocUnsafe(bytes);
  if (type === 'u32') putU32(target, 0, value);
  else if (type === 'u16') putU16(target, 0, value);
  else putVarint(target, 0, value);
  return target;
}

function encodeBytes(bytes: Buffer, name: string): Buffer {
  if (bytes.length > 0xffff) {
    throw new BrokerError('internal', `${name} has ${bytes.length} bytes, MQTT has room for 65535`);
  }
  const target = Buffer.allocUnsafe(2 + bytes.length);
  bytes.copy(target, putU16(target, 0, bytes.length));
  return target;
}
