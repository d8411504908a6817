import { checkFlags, malformed, type ProtocolVersion } from './packets.ts';

/** The answer to every PINGREQ. [MQTT-3.12.4-1] */
export const pingresp: Buffer = Buffer.of(0xd0, 0);

/** Refuses a PINGREQ that is not the two bytes it has to be: `malformed-packet`. [MQTT 5, 3.12] */
export function readPingreq(first: number, start: number, end: number, version: ProtocolVersion): void {
  checkFlags(first, version);
  if (start !== end) throw malformed('PINGREQ', `${end - start} bytes follow the fixed header`);
}
