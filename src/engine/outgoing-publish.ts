import { expiryLeft, type Message, type Qos } from '../base/message.ts';
import { publishHeadBytes, utf8Bytes, writePublishHead } from '../codec/publish.ts';
import type { Connection } from './connection.ts';
import { copyBelow } from './output.ts';

/**
 * Writes a PUBLISH into the connection's output. `alias` as `OutgoingAliases` gave it for the topic, 0 for none. False: the
 * packet is larger than the client takes, and nothing was written [MQTT-3.1.2-25].
 */
export function writePublish(
  connection: Connection,
  message: Message,
  qos: Qos,
  retain: boolean,
  isRepeat: boolean,
  packetId: number,
  ids: Buffer,
  alias: number,
): boolean {
  const { output, version } = connection;
  const { topic, payload, properties } = message;
  const expirySeconds = message.expiresAt === 0 ? -1 : expiryLeft(message, connection.engine.clock.now());
  const topicBytes = alias > 0 ? 0 : utf8Bytes(topic);
  let headBytes = publishHeadBytes(topicBytes, payload.length, properties.length, qos, version, expirySeconds, ids, Math.abs(alias));
  const most = connection.maximumPacketBytes;
  if (most !== 0 && headBytes + payload.length > most) {
    if (alias >= 0) return false;
    // without setting an alias it may fit
    alias = 0;
    headBytes = publishHeadBytes(topicBytes, payload.length, properties.length, qos, version, expirySeconds, ids, 0);
    if (headBytes + payload.length > most) return false;
  }
  if (alias < 0) connection.outgoingAliases!.set(topic, (alias = -alias));
  const isSmall = payload.length < copyBelow;
  const buffer = output.room(isSmall ? headBytes + payload.length : headBytes);
  const end = writePublishHead(
    buffer,
    output.end,
    topic,
    topicBytes,
    payload.length,
    properties,
    qos,
    retain,
    isRepeat,
    packetId,
    version,
    expirySeconds,
    ids,
    alias,
  );
  if (isSmall) {
    output.advance(end + payload.copy(buffer, end));
  } else {
    output.advance(end);
    output.append(payload);
  }
  return true;
}
