import { BrokerError } from '../base/errors.ts';

/**
 * What nodes send each other about messages. The record of the message follows the head in the same frame.
 *
 *   live    [1]                                                  for connected subscribers without a stored queue, and QoS 0
 *   queued  [2][u16 count] count x ([u48 seq][u16][head][u16][client])  was queued for these sessions under these numbers
 *   direct  [3][u16][identifiers][u16][client]                   QoS 0, for this client alone
 */
const liveKind = 1;
const queuedKind = 2;
const directKind = 3;

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
  for (let i = 0; i < count; i++) bytes += 10 + queued[i]!.route.head.length + ids[i]!.length;
  const frame = Buffer.allocUnsafe(bytes);
  frame[0] = queuedKind;
  let at = frame.writeUInt16BE(count, 1);
  for (let i = 0; i < count; i++) {
    const { route, seq } = queued[i]!;
    at = frame.writeUIntBE(seq, at, 6);
    at = frame.writeUInt16BE(route.head.length, at);
    at += route.head.copy(frame, at);
    at = frame.writeUInt16BE(ids[i]!.length, at);
    at += ids[i]!.copy(frame, at);
  }
  return frame;
}

export function directFrame({ ids, clientId }: { readonly ids: Buffer; readonly clientId: string }): Buffer {
  const client = Buffer.from(clientId);
  const frame = Buffer.allocUnsafe(5 + ids.length + client.length);
  frame[0] = directKind;
  let at = frame.writeUInt16BE(ids.length, 1);
  at += ids.copy(frame, at);
  at = frame.writeUInt16BE(client.length, at);
  client.copy(frame, at);
  return frame;
}

export type Frame =
  | { readonly kind: 'direct'; readonly clientId: string; readonly ids: Buffer; readonly record: Buffer }
  | { readonly kind: 'live'; readonly record: Buffer }
  | { readonly kind: 'queued'; readonly queued: readonly QueuedFor[]; readonly record: Buffer };

/** Throws `store-corrupt` when the bytes are no frame. */
export function readFrame(frame: Buffer): Frame {
  if (frame[0] === liveKind) return { kind: 'live', record: frame.subarray(1) };
  if (frame[0] === directKind) return readDirect(frame);
  if (frame[0] !== queuedKind) throw new BrokerError('store-corrupt', `a frame from another node is of unknown kind ${frame[0]}`);
  try {
    const count = frame.readUInt16BE(1);
    const queued: QueuedFor[] = [];
    let at = 3;
    for (let i = 0; i < count; i++) {
      const seq = frame.readUIntBE(at, 6);
      const headEnd = at + 8 + frame.readUInt16BE(at + 6);
      const idEnd = headEnd + 2 + frame.readUInt16BE(headEnd);
      if (idEnd > frame.length) throw new RangeError('cut short');
      queued.push({ seq, head: frame.subarray(at + 8, headEnd), clientId: frame.toString('utf8', headEnd + 2, idEnd) });
      at = idEnd;
    }
    return { kind: 'queued', queued, record: frame.subarray(at) };
  } catch (error) {
    throw new BrokerError('store-corrupt', 'a frame from another node is cut short', error);
  }
}

function readDirect(frame: Buffer): Frame {
  const idsEnd = frame.length < 3 ? Infinity : 3 + frame.readUInt16BE(1);
  const clientEnd = idsEnd + 2 > frame.length ? Infinity : idsEnd + 2 + frame.readUInt16BE(idsEnd);
  if (clientEnd > frame.length) throw new BrokerError('store-corrupt', 'a frame from another node is cut short');
  return { kind: 'direct', ids: frame.subarray(3, idsEnd), clientId: frame.toString('utf8', idsEnd + 2, clientEnd), record: frame.subarray(clientEnd) };
}
