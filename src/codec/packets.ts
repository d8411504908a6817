import { BrokerError } from '../base/errors.ts';

/** The protocol level of CONNECT: 3 is MQTT 3.1 (`MQIsdp`), 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolVersion = 3 | 4 | 5;

/** The control packet types: the upper four bits of a packet's first byte. [MQTT 5, 2.1.2] */
export const PacketType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

const names = Object.keys(PacketType);

/** The name of a packet by its first byte, as error messages show it. */
export function packetName(first: number): string {
  return names[(first >> 4) - 1]?.toUpperCase() ?? 'reserved packet type 0';
}

/** What cannot be parsed according to the standard. [MQTT 5, 1.2, Malformed Packet] */
export function malformed(packet: string, what: string): BrokerError {
  return new BrokerError('malformed-packet', `${packet}: ${what}`);
}

/** What parses, and is not allowed there. [MQTT 5, 1.2, Protocol Error] */
export function protocolError(packet: string, what: string): BrokerError {
  return new BrokerError('protocol-error', `${packet}: ${what}`);
}

/**
 * The reserved flags of the fixed header [MQTT-2.1.3-1]. MQTT 3.1 sets DUP on a SUBSCRIBE, UNSUBSCRIBE or PUBREL that
 * is sent again, so there the bit is let through.
 */
export function checkFlags(first: number, version: ProtocolVersion): void {
  const type = first >> 4;
  const marked = type === PacketType.pubrel || type === PacketType.subscribe || type === PacketType.unsubscribe;
  const flags = version === 3 && marked ? first & 0x07 : first & 0x0f;
  if (flags !== (marked ? 0x02 : 0)) {
    throw malformed(packetName(first), `reserved flags are ${flags.toString(2).padStart(4, '0')} [MQTT-2.1.3-1]`);
  }
}
