import type { Arg } from './batch.ts';

/** How many parts Redis Cluster divides the keys into. */
export const hashSlots = 16_384;

/** CRC16 (XMODEM), a byte at a time. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** The hash slot of a key, from what stands in its first pair of braces when there is something. */
export function hashSlotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const bytes = Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key);
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ byte]!;
  return crc % hashSlots;
}

/** The first key among the arguments of one of the commands that Swarmq uses; null for a command without keys. */
export function keyOf(name: string, args: readonly Arg[]): string | null {
  const at = keyAt(name.toUpperCase(), args);
  return at < 0 || args[at] === undefined ? null : String(args[at]);
}

function keyAt(name: string, args: readonly Arg[]): number {
  switch (name) {
    case 'EVAL':
    case 'EVALSHA':
      return 2;
    case 'XREAD':
      return args.indexOf('STREAMS') + 1;
    case 'XINFO':
    case 'MEMORY':
    case 'PUBSUB':
      // a channel has no slot of its own: those who listen and those who ask agree on the one of its name
      return 1;
    case 'INFO':
    case 'PING':
    case 'WAIT':
      return -1;
    default:
      return 0;
  }
}
