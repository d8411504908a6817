import { Body } from './body.ts';
import { byteAt, putU16, u16At } from './bytes.ts';
import { checkFlags, malformed, PacketType, packetName, protocolError, type ProtocolVersion } from './packets.ts';
import { readProperties, type PropertyPlace } from './properties.ts';

/** A PUBACK, PUBREC, PUBREL or PUBCOMP as it came in; one object is read into again and again. */
export interface IncomingAck {
  packetId: number;
  /** The MQTT 5 reason code; 0 before MQTT 5. */
  reason: number;
}

/** Room that `writeAck` needs. */
export const maxAckBytes = 5;

// Only a server says that nobody subscribed (0x10), so it is not in the list. [MQTT 5, 3.4.2.1]
const publishReasons = reasonTable(0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99);
const releaseReasons = reasonTable(0x00, 0x92);

const places: readonly PropertyPlace[] = ['puback', 'pubrec', 'pubrel', 'pubcomp'];

/**
 * Reads a client's PUBACK, PUBREC, PUBREL or PUBCOMP into `into`. Its reason string and user properties are checked and
 * passed over. Refuses with `malformed-packet`, `invalid-utf8` or `protocol-error`.
 */
export function readAck(
  buffer: Buffer,
  first: number,
  start: number,
  end: number,
  version: ProtocolVersion,
  into: IncomingAck,
): void {
  checkFlags(first, version);
  const length = end - start;
  if (length < 2) throw malformed(packetName(first), 'packet identifier is cut off');
  into.packetId = u16At(buffer, start);
  if (into.packetId === 0) throw protocolError(packetName(first), 'packet identifier is 0 [MQTT-2.2.1-3]');
  into.reason = 0;
  if (length === 2) return;
  if (version !== 5) throw malformed(packetName(first), `${length - 2} bytes follow the packet identifier`);

  const type = first >> 4;
  const reason = byteAt(buffer, start + 2);
  const known = type === PacketType.puback || type === PacketType.pubrec ? publishReasons : releaseReasons;
  if (known[reason] === 0) {
    throw protocolError(packetName(first), `reason code 0x${reason.toString(16)} is not for a client [MQTT 5, 2.4]`);
  }
  into.reason = reason;
  if (length === 3) return;
  const rest = new Body(packetName(first), buffer, start + 3, end);
  readProperties(rest, places[type - PacketType.puback] as PropertyPlace);
  rest.expectEnd();
}

/**
 * Writes an acknowledgement and gives the offset after it: four bytes, or five when MQTT 5 has a reason to tell.
 * Before MQTT 5 `reason` is not written.
 */
export function writeAck(
  target: Buffer,
  at: number,
  type: 4 | 5 | 6 | 7,
  packetId: number,
  reason: number,
  version: ProtocolVersion,
): number {
  const long = version === 5 && reason !== 0;
  target[at] = (type << 4) | (type === PacketType.pubrel ? 0x02 : 0);
  target[at + 1] = long ? 3 : 2;
  at = putU16(target, at + 2, packetId);
  if (!long) return at;
  target[at] = reason;
  return at + 1;
}

function reasonTable(...codes: number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const code of codes) table[code] = 1;
  return table;
}
