import { BrokerError } from '../base/errors.ts';
import { Message, noBytes, type Qos } from '../base/message.ts';
import { byteAt, putU16, putU32, u16At, u32At } from './bytes.ts';
import { putText, textAt, utf8Bytes } from './text.ts';

/**
 * How a message is stored, and sent between nodes:
 *
 *     u8 version · u8 flags (bits 0-1 QoS, bit 2 RETAIN) · u48 publishedAt · u48 expiresAt (0: never)
 *     u16 topic bytes · topic · u16 publisher bytes · publisher
 *     u32 properties bytes · properties · payload (the rest)
 *
 * Numbers are big-endian, times are ms since 1970. Nodes of two releases share a store, so a change of this form needs
 * a new version, and the old one stays readable.
 */
const formVersion = 1;
const headBytes = 14;

export function encodeRecord(message: Message): Buffer {
  const { topic, publisher, properties, payload } = message;
  const topicBytes = utf8Bytes(topic);
  const publisherBytes = utf8Bytes(publisher);
  const bytes = headBytes + 2 + topicBytes + 2 + publisherBytes + 4 + properties.length + payload.length;
  const record = Buffer.allocUnsafe(bytes);
  record[0] = formVersion;
  record[1] = message.qos | (message.retain ? 0x04 : 0);
  record.writeUIntBE(message.publishedAt, 2, 6);
  record.writeUIntBE(message.expiresAt, 8, 6);
  let at = putU16(record, headBytes, topicBytes);
  at = putText(record, at, topic, topicBytes);
  at = putU16(record, at, publisherBytes);
  at = putText(record, at, publisher, publisherBytes);
  at = putU32(record, at, properties.length);
  at += properties.copy(record, at);
  payload.copy(record, at);
  return record;
}

/**
 * Reads a record that begins at `at` and goes to the end of `bytes`; payload and properties are views of it.
 * `store-corrupt` when the bytes are no record.
 */
export function decodeRecord(bytes: Buffer, at = 0): Message {
  const end = bytes.length;
  if (at + headBytes + 2 > end) throw corrupt(bytes, at, 'the head is cut off');
  const version = byteAt(bytes, at);
  if (version !== formVersion) throw corrupt(bytes, at, `its version is ${version}, known is ${formVersion}`);
  const flags = byteAt(bytes, at + 1);
  if (flags > 0x07 || (flags & 0x03) === 3) throw corrupt(bytes, at, `its flags are 0x${flags.toString(16)}`);
  const publishedAt = bytes.readUIntBE(at + 2, 6);
  const expiresAt = bytes.readUIntBE(at + 8, 6);

  const topicStart = at + headBytes + 2;
  const topicEnd = topicStart + u16At(bytes, topicStart - 2);
  const publisherStart = topicEnd + 2;
  if (publisherStart > end) throw corrupt(bytes, at, 'the topic is cut off');
  const publisherEnd = publisherStart + u16At(bytes, topicEnd);
  const propertiesStart = publisherEnd + 4;
  if (propertiesStart > end) throw corrupt(bytes, at, 'the publisher is cut off');
  const payloadStart = propertiesStart + u32At(bytes, publisherEnd);
  if (payloadStart > end) throw corrupt(bytes, at, 'the properties are cut off');

  const topic = textAt(bytes, topicStart, topicEnd);
  if (topic === null || topic === '') throw corrupt(bytes, at, 'the topic is empty or not UTF-8');
  const publisher = textAt(bytes, publisherStart, publisherEnd);
  if (publisher === null) throw corrupt(bytes, at, 'the publisher is not UTF-8');
  return new Message(
    topic,
    bytes.subarray(payloadStart),
    (flags & 0x03) as Qos,
    (flags & 0x04) !== 0,
    payloadStart === propertiesStart ? noBytes : bytes.subarray(propertiesStart, payloadStart),
    expiresAt,
    publishedAt,
    publisher,
  );
}

function corrupt(bytes: Buffer, at: number, what: string): BrokerError {
  const head = bytes.toString('hex', at, Math.min(at + 16, bytes.length));
  return new BrokerError('store-corrupt', `a stored message of ${bytes.length - at} bytes (${head}...): ${what}`);
}
