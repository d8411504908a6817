import { BrokerError } from '../base/errors.ts';
import { readDisconnect } from '../codec/disconnect.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';

const withWill = 0x04;

/** DISCONNECT from a client: its will is dropped, unless it asks for it [MQTT-3.14.4-3]. */
export function handleDisconnect(connection: Connection, session: Session): void {
  const { reader, engine } = connection;
  const disconnect = readDisconnect(reader.buffer, reader.first, reader.start, reader.end, connection.version);
  if (disconnect.sessionExpirySeconds > 0 && session.expirySeconds === 0) {
    throw new BrokerError('protocol-error', 'DISCONNECT: a session expiry that was 0 at CONNECT cannot be set now [MQTT 5, 3.14.2.2.2]');
  }
  if (disconnect.sessionExpirySeconds >= 0) {
    session.expirySeconds = Math.min(disconnect.sessionExpirySeconds, engine.config.session.maxExpirySeconds);
  }
  if (disconnect.reason !== withWill) session.will = null;
  connection.close(null);
}
