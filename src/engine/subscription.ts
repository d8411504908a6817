import type { Qos } from '../base/message.ts';
import { noBytes } from '../base/message.ts';
import { BrokerError } from '../base/errors.ts';

/** How one subscriber wants what matches [MQTT 5, 3.8.3.1]. */
export interface SubscriptionOptions {
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** encoded subscription identifier properties (0x0B, variable byte integer, ...), empty for none */
  readonly ids: Buffer;
}

const qosBits = 0b11;
const noLocalBit = 0b100;
const retainBit = 0b1000;
const sharedBit = 0b10000;

/** Options as they are stored with a session, in routes, and at the head of a queued message: one byte, then the identifiers. */
export function encodeOptions(options: SubscriptionOptions): Buffer {
  const { ids } = options;
  const bytes = Buffer.allocUnsafe(1 + ids.length);
  bytes[0] = options.qos | (options.noLocal ? noLocalBit : 0) | (options.retainAsPublished ? retainBit : 0);
  ids.copy(bytes, 1);
  return bytes;
}

/** Throws `store-corrupt` when the bytes are no options. */
export function decodeOptions(bytes: Buffer): SubscriptionOptions {
  const first = bytes[0];
  if (first === undefined || (first & qosBits) === 3) {
    throw new BrokerError('store-corrupt', `subscription options ${bytes.toString('hex')} are not readable`);
  }
  return {
    qos: (first & qosBits) as Qos,
    noLocal: (first & noLocalBit) !== 0,
    retainAsPublished: (first & retainBit) !== 0,
    ids: idsOf(bytes, first),
  };
}

function idsOf(bytes: Buffer, first: number): Buffer {
  const at = (first & sharedBit) === 0 ? 1 : 3 + bytes.readUInt16BE(1);
  if (at > bytes.length) throw new BrokerError('store-corrupt', `subscription options ${bytes.toString('hex')} are cut short`);
  return bytes.length > at ? bytes.subarray(at) : noBytes;
}

/** The head of a message that was queued for a member of a group: the options, and the group behind the first byte. */
export function encodeSharedHead(options: SubscriptionOptions, group: string): Buffer {
  const encoded = encodeOptions(options);
  const name = Buffer.from(group);
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(name.length);
  encoded[0]! |= sharedBit;
  return Buffer.concat([encoded.subarray(0, 1), length, name, encoded.subarray(1)]);
}

/** The group by which a queued message came, null when by none. */
export function groupOf(head: Buffer): string | null {
  const first = head[0] ?? 0;
  return (first & sharedBit) === 0 || head.length < 3 ? null : head.toString('utf8', 3, 3 + head.readUInt16BE(1));
}

/**
 * What a subscriber gets whose several filters match one message: one copy, at the highest QoS, with every identifier
 * [MQTT-3.3.4-2], [MQTT-3.3.4-3].
 */
export function mergeOptions(a: SubscriptionOptions, b: SubscriptionOptions): SubscriptionOptions {
  return {
    qos: a.qos > b.qos ? a.qos : b.qos,
    noLocal: a.noLocal && b.noLocal,
    retainAsPublished: a.retainAsPublished || b.retainAsPublished,
    ids: a.ids.length === 0 ? b.ids : b.ids.length === 0 ? a.ids : Buffer.concat([a.ids, b.ids]),
  };
}
