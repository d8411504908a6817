import { putVarint, varintBytes } from './bytes.ts';

/** Bytes as they are, or as numbers: a Buffer for each few of them would take most of the time. */
type Part = Buffer | readonly number[];

/** A whole packet of its first byte and the parts of its body, for the packets that are not many. */
export function encodePacket(first: number, ...parts: Part[]): Buffer {
  let remaining = 0;
  for (const part of parts) remaining += part.length;
  const packet = Buffer.allocUnsafe(1 + varintBytes(remaining) + remaining);
  packet[0] = first;
  let at = putVarint(packet, 1, remaining);
  for (const part of parts) {
    if (part instanceof Buffer) at += part.copy(packet, at);
    else for (const byte of part) packet[at++] = byte;
  }
  return packet;
}
