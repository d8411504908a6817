import { BrokerError } from '../base/errors.ts';

/**
 * What nodes send each other about messages. The record of the message follows the head in the same frame.
 *
 *   live    [1]                                                  for connected subscribers without a stored queue, and QoS 0
 *   queued  [2][u16 count] count x ([u48 seq][u8][head][u16][client])   was queued for these sessions under these numbers
 */
const liveKind = 1;
const queuedKind = 2;

export const liveFrame: Buffer = Buffer.from([liveKind]);

export interface QueuedFor {
  readonly clientId: string;
  readonly seq: number;
  readonly head: Buffer;
}

export function queuedFrame(queued: readonly { readonly route: { readonly clientId: string; readonly head: Buffer }; readonly seq: number }[]): Buffer {
  const count = Math.min(queued.length, 0xffff);
  const ids = queued.slice(0, count).map(({ route }) => Buffer.from(route.clientId));
  let bytes = 3;
  for (let i = 0; i < count; i++) bytes += 9 + queued[i]!.route.head.length + ids[i]!.length;
  const frame = Buffer.allocUnsafe(bytes);
  frame[0] = queuedKind;
  let at = frame.writeUInt16BE(count, 1);
  for (let i = 0; i < count; i++) {
    const { route, seq } = queued[i]!;
    at = frame.writeUIntBE(seq, at, 6);
    at = frame.writeUInt8(route.head.length, at);
    at += route.head.copy(frame, at);
    at = frame.writeUInt16BE(ids[i]!.length, at);
    at += ids[i]!.copy(frame, at);
  }
  return frame;
}

export type Frame =
  | { readonly kind: 'live'; readonly record: Buffer }
  | { readonly kind: 'queued'; readonly queued: readonly QueuedFor[]; readonly record: Buffer };

/** Throws `store-corrupt` when the bytes are no frame. */
export function readFrame(frame: Buffer): Frame {
  if (frame[0] === liveKind) return { kind: 'live', record: frame.subarray(1) };
  if (frame[0] !== queuedKind) throw new BrokerError('store-corrupt', `a frame from another node is of unknown kind ${frame[0]}`);
  try {
    const count = frame.readUInt16BE(1);
    const queued: QueuedFor[] = [];
    let at = 3;
    for (let i = 0; i < count; i++) {
      const seq = frame.readUIntBE(at, 6);
      const headEnd = at + 7 + frame.readUInt8(at + 6);
      const idEnd = headEnd + 2 + frame.readUInt16BE(headEnd);
      if (idEnd > frame.length) throw new RangeError('cut short');
      queued.push({ seq, head: frame.subarray(at + 7, headEnd), clientId: frame.toString('utf8', headEnd + 2, idEnd) });
      at = idEnd;
    }
    return { kind: 'queued', queued, record: frame.subarray(at) };
  } catch (error) {
    throw new BrokerError('store-corrupt', 'a frame from another node is cut short', error);
  }
}
