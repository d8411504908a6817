import { Body } from './body.ts';
import { encodePacket } from './packet.ts';
import { checkFlags, protocolError, type ProtocolVersion } from './packets.ts';
import { encodePropertyBlock, readProperties } from './properties.ts';

export interface Disconnect {
  /** 0 before MQTT 5. With 0x04 the will is published. */
  reason: number;
  /** -1: stays as it was at CONNECT. */
  sessionExpirySeconds: number;
  reasonString: string | null;
}

/** The reason codes that a client may send. [MQTT 5, 3.14.2.1] */
const clientReasons = new Set([0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]);

/** Reads a client's DISCONNECT. Refuses with `malformed-packet`, `invalid-utf8` or `protocol-error`. */
export function readDisconnect(
  buffer: Buffer,
  first: number,
  start: number,
  end: number,
  version: ProtocolVersion,
): Disconnect {
  checkFlags(first, version);
  const body = new Body('DISCONNECT', buffer, start, end);
  if (version !== 5) body.expectEnd();
  const reason = body.isAtEnd ? 0 : body.u8('reason code');
  if (!clientReasons.has(reason)) {
    throw protocolError('DISCONNECT', `reason code 0x${reason.toString(16)} is not for a client [MQTT-3.14.2-1]`);
  }
  const properties = body.isAtEnd ? {} : readProperties(body, 'disconnect');
  body.expectEnd();
  return {
    reason,
    sessionExpirySeconds: properties.sessionExpirySeconds ?? -1,
    reasonString: properties.reasonString ?? null,
  };
}

/** A DISCONNECT from the server, which only MQTT 5 has; in its shortest form. [MQTT 5, 3.14.2] */
export function encodeDisconnect(reason: number, reasonString?: string, serverReference?: string): Buffer {
  const properties = encodePropertyBlock<'disconnect'>({ reasonString, serverReference });
  if (properties.length > 1) return encodePacket(0xe0, [reason], properties);
  return reason === 0 ? encodePacket(0xe0) : encodePacket(0xe0, [reason]);
}
