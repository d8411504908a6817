import { putVarint, varintBytes } from './bytes.ts';

/** A whole packet of its first byte and the parts of its body, for the packets that are not many. */
export function encodePacket(first: number, ...parts: Buffer[]): Buffer {
  let remaining = 0;
  for (const part of parts) remaining += part.length;
  const packet = Buffer.allocUnsafe(1 + varintBytes(remaining) + remaining);
  packet[0] = first;
  let at = putVarint(packet, 1, remaining);
  for (const part of parts) at += part.copy(packet, at);
  return packet;
}
