/** Numbers in and out of Buffers, without bounds checks of their own: the caller has compared with the packet's end. */

export function byteAt(buffer: Buffer, at: number): number {
  return buffer[at] as number;
}

export function u16At(buffer: Buffer, at: number): number {
  return (byteAt(buffer, at) << 8) | byteAt(buffer, at + 1);
}

export function u32At(buffer: Buffer, at: number): number {
  return byteAt(buffer, at) * 0x1000000 + ((byteAt(buffer, at + 1) << 16) | u16At(buffer, at + 2));
}

/** Writes two bytes; gives the offset after them. */
export function putU16(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 8;
  target[at + 1] = value & 0xff;
  return at + 2;
}

/** Writes four bytes; gives the offset after them. */
export function putU32(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = (value >>> 16) & 0xff;
  target[at + 2] = (value >>> 8) & 0xff;
  target[at + 3] = value & 0xff;
  return at + 4;
}

/** How many bytes a Variable Byte Integer takes, up to 268,435,455 in four. [MQTT 5, 1.5.5] */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x200000 ? 3 : 4;
}

/** Writes a Variable Byte Integer; gives the offset after it. */
export function putVarint(target: Buffer, at: number, value: number): number {
  while (value >= 0x80) {
    target[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  target[at] = value;
  return at + 1;
}

/**
 * Reads a Variable Byte Integer that lies before `end`; it took `varintBytes(value)` bytes. Gives -1 when it is cut
 * off, longer than four bytes, or not in its shortest form [MQTT-1.5.5-1].
 */
export function varintAt(buffer: Buffer, at: number, end: number): number {
  let value = 0;
  for (let shift = 0; shift < 28 && at < end; shift += 7) {
    const byte = byteAt(buffer, at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return byte === 0 && shift > 0 ? -1 : value;
  }
  return -1;
}
