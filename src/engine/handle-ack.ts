import { PacketType } from '../codec/packets.ts';
import { readAck, type IncomingAck } from '../codec/publish.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';

const ack: IncomingAck = { packetId: 0, reason: 0 };
const unknownIdentifier = 0x92;

/** PUBACK, PUBREC, PUBREL and PUBCOMP from a client [MQTT 5, 3.4 to 3.7, 4.3]. */
export function handleAck(connection: Connection, session: Session): void {
  const { reader } = connection;
  readAck(reader.buffer, reader.first, reader.start, reader.end, connection.version, ack);
  const { packetId, reason } = ack;
  const { delivery } = session;
  switch (reader.first >> 4) {
    case PacketType.puback:
      delivery.acknowledge(packetId, 1);
      break;
    case PacketType.pubrec:
      if (reason >= 0x80) delivery.acknowledge(packetId, 2);
      else if (!delivery.receive(packetId)) connection.sendAck(6, packetId, connection.version === 5 ? unknownIdentifier : 0);
      break;
    case PacketType.pubcomp:
      delivery.complete(packetId);
      break;
    case PacketType.pubrel:
      release(connection, session, packetId);
      break;
  }
}

/** PUBREL: the identifier is free again; PUBCOMP goes out when that is committed [MQTT-4.3.3-11]. */
function release(connection: Connection, session: Session, packetId: number): void {
  const known = session.incoming?.delete(packetId) ?? false;
  if (!known) {
    connection.sendAck(7, packetId, connection.version === 5 ? unknownIdentifier : 0);
  } else if (session.isNoted) {
    session.settle().forgotten.push(packetId);
    connection.engine.commit.settle(session);
  } else {
    session.receiving--;
    connection.sendAck(7, packetId, 0);
  }
}
