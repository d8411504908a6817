import { Body } from './body.ts';
import { encodePacket } from './packet.ts';
import { checkFlags, malformed, protocolError, type ProtocolVersion } from './packets.ts';
import { encodePropertyBlock, readProperties, type UserProperties } from './properties.ts';

export interface Auth {
  /** 0x00 success (server), 0x18 continue (both), 0x19 authenticate again (client). [MQTT 5, 3.15.2.1] */
  reason: number;
  method: string;
  data: Buffer | null;
  reasonString: string | null;
  userProperties: UserProperties;
}

/** Reads a client's AUTH. Refuses with `malformed-packet`, `invalid-utf8` or `protocol-error`. */
export function readAuth(buffer: Buffer, first: number, start: number, end: number, version: ProtocolVersion): Auth {
  if (version !== 5) throw malformed('AUTH', 'the packet type is reserved before MQTT 5 [MQTT 3.1.1, 2.2.1]');
  checkFlags(first, version);
  const body = new Body('AUTH', buffer, start, end);
  const reason = body.isAtEnd ? 0 : body.u8('reason code');
  if (reason !== 0x18 && reason !== 0x19) {
    throw protocolError('AUTH', `reason code 0x${reason.toString(16)} is not for a client [MQTT-3.15.2-1]`);
  }
  const properties = body.isAtEnd ? {} : readProperties(body, 'auth');
  body.expectEnd();
  const method = properties.authenticationMethod;
  if (method === undefined) throw protocolError('AUTH', 'authentication method is missing [MQTT 5, 3.15.2.2.2]');
  return {
    reason,
    method,
    data: properties.authenticationData ?? null,
    reasonString: properties.reasonString ?? null,
    userProperties: properties.userProperties ?? [],
  };
}

export function encodeAuth(auth: Auth): Buffer {
  const properties = encodePropertyBlock<'auth'>({
    authenticationMethod: auth.method,
    authenticationData: auth.data ?? undefined,
    reasonString: auth.reasonString ?? undefined,
    userProperties: auth.userProperties,
  });
  return encodePacket(0xf0, [auth.reason], properties);
}
