import { badAlias, badClientId, badMethod, badPayload, badTopic, CutOff, malformed, protocolError, StandardReader, unsupported, type Judgement } from './standard-reader.ts';

export type { Judgement } from './standard-reader.ts';

/*
 * A second reader of what clients send, written from the texts of MQTT 3.1, 3.1.1 and 5.0 alone: nothing of the product is used here.
 */

/** A packet cut out of a stream; `fault` when the stream itself is wrong from here on. `end`: where it ends, or the fault shows. */
export type Frame = { readonly end: number } & ({ readonly first: number; readonly body: Buffer } | { readonly fault: Judgement });

/** What earlier packets of the connection settled. */
export interface Standing {
  readonly version: 3 | 4 | 5;
  readonly isConnected: boolean;
  /** the Session Expiry Interval of its CONNECT was 0 */
  readonly endsWithConnection: boolean;
  readonly aliasMaximum: number;
  readonly aliases: Set<number>;
}

const pubackCodes = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const pubrelCodes = [0x00, 0x92];
const disconnectCodes = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
const serverDisconnectCodes = [0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2];

/** Cuts a stream of bytes into packets; ends before one that is not complete. */
export function* framesIn(bytes: Buffer, version: 3 | 4 | 5, maxPacketBytes: number): Generator<Frame> {
  for (let at = 0; at + 1 < bytes.length; ) {
    const first = bytes[at]!;
    let length = 0;
    let i = 1;
    for (; i <= 4; i++) {
      const byte = bytes[at + i];
      if (byte === undefined && first >> 4 !== 0) return;
      length += ((byte ?? 0) & 0x7f) * 128 ** (i - 1);
      if ((byte ?? 0) < 0x80) break;
    }
    const isLong = version === 5 && i > 1 && i <= 4 && bytes[at + i] === 0;
    if (i > 4 || isLong || first >> 4 === 0) {
      yield { end: at + Math.min(1 + i, 5), fault: { refusal: 'must', codes: new Set([malformed]) } };
      return;
    }
    const start = at + 1 + i;
    at = start + length;
    if (1 + i + length > maxPacketBytes) {
      yield { end: start, fault: { refusal: 'must', codes: new Set([0x95]) } };
      return;
    }
    if (at > bytes.length) return;
    yield { end: at, first, body: bytes.subarray(start, at) };
  }
}

/** What the standard says of this packet here. Notes the topic aliases that it sets. */
export function judge(first: number, body: Buffer, standing: Standing): Judgement {
  const reader = new StandardReader(body, standing.version);
  try {
    readPacket(reader, first, standing);
  } catch (error) {
    if (!(error instanceof CutOff)) throw error;
  }
  return reader.judgement;
}

function readPacket(reader: StandardReader, first: number, standing: Standing): void {
  const type = first >> 4;
  const { version } = standing;
  // 3.1.0: nothing before CONNECT, and no second one
  if ((type === 1) === standing.isConnected) reader.wrong(protocolError);
  if (type === 3) {
    readPublish(reader, first, standing);
    return;
  }
  // table 2-2; MQTT 3.1 has DUP in these
  const flags = first & 0x0f;
  if (flags !== (type === 6 || type === 8 || type === 10 ? 2 : 0)) reader.wrongSince4(malformed);
  switch (type) {
    case 4:
    case 5:
    case 6:
    case 7:
      readAck(reader, type);
      break;
    case 8:
      readSubscribe(reader);
      break;
    case 10:
      reader.packetId();
      if (version === 5) reader.properties('unsubscribe');
      if (reader.isAtEnd) reader.wrongSince4(protocolError);
      while (!reader.isAtEnd) reader.topicFilter();
      break;
    case 12:
      reader.end();
      break;
    case 14:
      readDisconnect(reader, standing);
      break;
    case 15:
      readAuth(reader);
      break;
    case 1:
      break;
    default:
      // CONNACK, SUBACK, UNSUBACK, PINGRESP: a server's
      reader.wrong(protocolError, malformed);
  }
}

function readPublish(reader: StandardReader, first: number, { version, aliasMaximum, aliases }: Standing): void {
  const qos = (first >> 1) & 3;
  if (qos === 3) reader.wrong(malformed);
  if (qos === 0 && (first & 8) !== 0) reader.wrongSince4(malformed, protocolError);
  const topic = reader.text();
  if (/[+#]/.test(topic)) reader.wrong(malformed, protocolError, badTopic);
  if (topic === '' && version !== 5) reader.wrong(malformed, protocolError, badTopic);
  if (qos > 0) reader.packetId();
  if (version !== 5) return;
  const found = reader.properties('publish');
  const alias = found.get(0x23) as number | undefined;
  if (alias !== undefined && alias > aliasMaximum) reader.wrong(badAlias);
  if (topic === '' && (alias === undefined || !aliases.has(alias))) reader.wrong(protocolError, badAlias);
  if (topic !== '' && alias !== undefined && reader.must.size === 0) aliases.add(alias);
  if (found.get(0x01) === 1 && !isUtf8(reader.rest())) reader.doubtful(badPayload);
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString()).equals(bytes);
}

function readAck(reader: StandardReader, type: number): void {
  reader.packetId();
  if (reader.version !== 5 || reader.isAtEnd) {
    reader.end();
    return;
  }
  const code = reader.u8();
  if (!(type <= 5 ? pubackCodes : pubrelCodes).includes(code)) reader.wrong(malformed, protocolError);
  // "This is sent only by the Server."
  if (code === 0x10) reader.doubtful(malformed, protocolError);
  if (reader.isAtEnd) return;
  reader.properties('ack');
  reader.end();
}

function readSubscribe(reader: StandardReader): void {
  reader.packetId();
  if (reader.version === 5) reader.properties('subscribe');
  if (reader.isAtEnd) reader.wrongSince4(protocolError);
  while (!reader.isAtEnd) {
    const filter = reader.topicFilter();
    const options = reader.u8();
    if (reader.version !== 5) {
      if ((options & 3) === 3) reader.wrong(malformed);
      if (options > 3) reader.wrongSince4(malformed);
      continue;
    }
    if (options >= 0x40) reader.wrong(malformed);
    if ((options & 3) === 3 || ((options >> 4) & 3) === 3) reader.wrong(protocolError);
    if ((options & 4) !== 0 && filter.startsWith('$share/')) reader.wrong(protocolError);
  }
}

function readDisconnect(reader: StandardReader, { version, endsWithConnection }: Standing): void {
  if (version !== 5) {
    reader.end();
    return;
  }
  if (reader.isAtEnd) return;
  const code = reader.u8();
  if (serverDisconnectCodes.includes(code)) reader.doubtful(malformed, protocolError);
  else if (!disconnectCodes.includes(code)) reader.wrong(malformed, protocolError);
  if (reader.isAtEnd) return;
  const found = reader.properties('disconnect');
  reader.end();
  if (endsWithConnection && Number(found.get(0x11) ?? 0) > 0) reader.wrong(protocolError);
}

function readAuth(reader: StandardReader): void {
  if (reader.version !== 5) {
    reader.wrong(malformed, protocolError);
    return;
  }
  const code = reader.isAtEnd ? 0 : reader.u8();
  if (code === 0) reader.doubtful(malformed, protocolError);
  else if (code !== 0x18 && code !== 0x19) reader.wrong(malformed, protocolError);
  const found = reader.isAtEnd ? new Map<number, unknown>() : reader.properties('auth');
  reader.end();
  if (!found.has(0x15)) reader.wrong(protocolError);
}

/** What the standard says of the body of a first CONNECT, which tells its own version. */
export function judgeConnect(first: number, body: Buffer): Judgement & { readonly version: 3 | 4 | 5 } {
  const { name, level: told } = protocolOf(body);
  // bit 7 is the mark of bridges of MQTT 3, which the standard does not know and servers do
  const level = told === 0x83 || told === 0x84 ? told & 0x7f : told;
  const version = level === 5 ? 5 : level === 3 ? 3 : 4;
  const reader = new StandardReader(body, version);
  try {
    if ((first & 0x0f) !== 0) reader.wrongSince4(malformed);
    reader.text();
    if (told !== level) reader.doubtful(unsupported, malformed);
    const isSpoken = name === 'MQTT' ? level === 4 || level === 5 : name === 'MQIsdp' && level === 3;
    if (!isSpoken) reader.wrong(unsupported, malformed, protocolError);
    reader.u8();
    if (isSpoken) readConnect(reader);
  } catch (error) {
    if (!(error instanceof CutOff)) throw error;
  }
  return { ...reader.judgement, version };
}

function protocolOf(body: Buffer): { name: string; level: number } {
  const length = body.length < 2 ? 0 : body.readUInt16BE();
  return { name: body.toString('latin1', 2, 2 + length), level: body[2 + length] ?? 0 };
}

function readConnect(reader: StandardReader): void {
  const { version } = reader;
  const flags = reader.u8();
  const hasWill = (flags & 0x04) !== 0;
  if ((flags & 0x01) !== 0) reader.wrongSince4(malformed, protocolError);
  if (hasWill && (flags & 0x18) === 0x18) reader.wrong(malformed);
  if (!hasWill && (flags & 0x38) !== 0) reader.wrongSince4(malformed, protocolError);
  if (version !== 5 && (flags & 0xc0) === 0x40) reader.wrongSince4(malformed, protocolError);
  reader.u16();
  const found = version === 5 ? reader.properties('connect') : new Map<number, unknown>();
  // the server may know the method, or not [MQTT-4.12.0-1]
  if (found.has(0x15)) reader.doubtful(badMethod);
  const clientId = reader.text();
  if (clientId === '' && version === 4 && (flags & 0x02) === 0) reader.wrong(badClientId);
  if (version === 3 && (clientId === '' || clientId.length > 23)) reader.doubtful(badClientId);
  if (hasWill) {
    const will = version === 5 ? reader.properties('will') : new Map<number, unknown>();
    reader.topicName();
    if (will.get(0x01) === 1 && !isUtf8(reader.binary())) reader.doubtful(badPayload);
    else if (will.get(0x01) !== 1) reader.binary();
  }
  // MQTT 3.1: the length of the packet takes precedence over these flags
  if ((flags & 0x80) !== 0 && !(version === 3 && reader.isAtEnd)) reader.text();
  if ((flags & 0x40) !== 0 && !(version === 3 && reader.isAtEnd)) reader.binary();
  reader.end();
}
