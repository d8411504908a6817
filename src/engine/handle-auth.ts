import { BrokerError } from '../base/errors.ts';
import { encodeAuth, readAuth, type Auth } from '../codec/auth.ts';
import type { Connect } from '../codec/connect.ts';
import { protocolError } from '../codec/packets.ts';
import type { Connection } from './connection.ts';
import type { Exchange, ExchangeStep } from './hooks.ts';

const reasonCode = { success: 0x00, goOn: 0x18, again: 0x19 } as const;

/**
 * Enhanced authentication of one connection [MQTT 5, 4.12]. The method is the one of CONNECT and never changes
 * [MQTT-4.12.0-5], [MQTT-4.12.1-1].
 *
 * The exchange of CONNECT comes before CONNACK: between its messages the connection is `challenged`. A later one, which the
 * client begins, runs beside everything else, on what was proven before; when it fails, the connection ends [MQTT-4.12.1-2].
 */
export interface Authentication {
  readonly method: string;
  /** null: none is under way */
  exchange: Exchange | null;
  /** the last word of the exchange of CONNECT, which stands in CONNACK */
  lastWord: Buffer | null;
  /** what comes after the exchange of CONNECT */
  readonly enter: () => Promise<void>;
}

/** CONNECT with an authentication method. `enter` opens the session once the exchange has succeeded, which may be packets later. */
export async function beginExchange(connection: Connection, connect: Connect, method: string, enter: () => Promise<void>): Promise<void> {
  const { hooks } = connection.engine;
  if (hooks.beginExchange === null) {
    throw new BrokerError('bad-authentication-method', 'CONNECT: this server offers no enhanced authentication [MQTT-4.12.0-1]');
  }
  connection.authentication = { method, exchange: hooks.beginExchange(connection, method, connect), lastWord: null, enter };
  await advance(connection, connection.authentication, connect.authenticationData);
}

/** AUTH from a client [MQTT 5, 3.15]. */
export function handleAuth(connection: Connection): void {
  const { reader, authentication } = connection;
  if (authentication === null) throw protocolError('AUTH', 'CONNECT named no authentication method [MQTT-4.12.0-7]');
  const auth = readAuth(reader.buffer, reader.first, reader.start, reader.end, connection.version);
  if (auth.method !== authentication.method) throw protocolError('AUTH', 'the method is not the one of CONNECT [MQTT-4.12.0-5], [MQTT-4.12.1-1]');
  if (connection.state !== 'challenged') {
    reauthenticate(connection, authentication, auth);
    return;
  }
  if (auth.reason !== reasonCode.goOn) throw protocolError('AUTH', 'the answer to a challenge has reason code 0x18 [MQTT-4.12.0-3]');
  connection.state = 'opening';
  connection.waitFor(advance(connection, authentication, auth.data));
}

/** One message of the exchange of CONNECT: the next challenge goes out, or the session is opened. */
async function advance(connection: Connection, authentication: Authentication, data: Buffer | null): Promise<void> {
  const step = await authentication.exchange!.step(data);
  if (connection.state === 'closed') return;
  if (!step.isLast) {
    connection.state = 'challenged';
    send(connection, authentication, reasonCode.goOn, step.data);
    return;
  }
  authentication.exchange = null;
  authentication.lastWord = step.data;
  await authentication.enter();
}

function reauthenticate(connection: Connection, authentication: Authentication, { reason, data }: Auth): void {
  const { hooks } = connection.engine;
  if (reason === reasonCode.again) authentication.exchange = hooks.beginExchange!(connection, authentication.method, null);
  else if (authentication.exchange === null) throw protocolError('AUTH', 'there is no challenge to answer: re-authentication begins with 0x19 [MQTT-3.15.2-1]');
  const decision = authentication.exchange.step(data);
  const answer = ({ isLast, data: said }: ExchangeStep): void => {
    if (connection.state === 'closed') return;
    if (isLast) authentication.exchange = null;
    send(connection, authentication, isLast ? reasonCode.success : reasonCode.goOn, said);
  };
  if (decision instanceof Promise) connection.waitFor(decision.then(answer));
  else answer(decision);
}

function send(connection: Connection, { method }: Authentication, reason: number, data: Buffer | null): void {
  const packet = encodeAuth({ reason, method, data, reasonString: null, userProperties: [] });
  if (connection.maximumPacketBytes !== 0 && packet.length > connection.maximumPacketBytes) {
    throw new BrokerError('packet-too-large', `AUTH of ${packet.length} bytes is more than the client takes [MQTT-3.1.2-24]`);
  }
  connection.send(packet);
}
