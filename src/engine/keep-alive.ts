import { Socket } from 'node:net';
import { BrokerError } from '../base/errors.ts';
import type { Connection } from './connection.ts';
import type { Engine } from './engine.ts';

/** A client that may be silent for longer is probed by TCP after so much silence. Others are not: it costs a connect 2 us, and a device its sleep. */
const probedSeconds = 300;

/**
 * Closes connections that fell silent, by one wheel of seconds for the node instead of a timer for each client. A connection
 * stands in the slot of the second in which it might be due; when that second comes, it is closed, or moves on.
 */
export class KeepAlive {
  readonly #engine: Engine;
  readonly #wheel = new Map<number, Set<Connection>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A new connection has so long to send its CONNECT and to be answered. */
  awaitConnect(connection: Connection): void {
    this.#put(connection, this.#engine.second + Math.ceil(this.#engine.config.mqtt.connectTimeoutMs / 1000) + 1);
  }

  /** From now on silence for one and a half times the keep alive closes the connection [MQTT-3.1.2-22]. */
  watch(connection: Connection): void {
    this.forget(connection);
    const { keepAliveSeconds } = connection;
    if (keepAliveSeconds === 0 || keepAliveSeconds > probedSeconds) probe(connection);
    if (keepAliveSeconds > 0) this.#put(connection, Math.max(dueAt(connection), this.#engine.second + 1));
  }

  /** The connection is closed. */
  forget(connection: Connection): void {
    const slot = this.#wheel.get(connection.dueSecond);
    slot?.delete(connection);
    if (slot?.size === 0) this.#wheel.delete(connection.dueSecond);
  }

  tick(): void {
    const now = this.#engine.second;
    const due = this.#wheel.get(now);
    if (due === undefined) return;
    this.#wheel.delete(now);
    for (const connection of due) this.#look(connection, now);
  }

  #look(connection: Connection, now: number): void {
    if (connection.state === 'closed') return;
    if (connection.state === 'new') {
      connection.close(new BrokerError('connect-timeout', 'no CONNECT was completed in time'));
      return;
    }
    if (connection.state === 'challenged') {
      connection.close(new BrokerError('connect-timeout', 'the authentication was not completed in time'));
      return;
    }
    if (connection.state === 'opening') {
      connection.close(new BrokerError('server-unavailable', 'CONNECT could not be answered in time'));
      return;
    }
    // a client that is not read at the moment cannot be heard
    const isHeard = dueAt(connection) > now || connection.isHeldBack || connection.isBusy;
    if (isHeard) this.#put(connection, Math.max(dueAt(connection), now + 1));
    else connection.close(new BrokerError('keep-alive-timeout', `nothing was heard for ${Math.ceil(connection.keepAliveSeconds * 1.5)} s`));
  }

  #put(connection: Connection, second: number): void {
    connection.dueSecond = second;
    const slot = this.#wheel.get(second);
    if (slot === undefined) this.#wheel.set(second, new Set([connection]));
    else slot.add(connection);
  }
}

/** Has the kernel find out whether the peer is still there. */
function probe({ stream, request }: Connection): void {
  const socket = request?.socket ?? stream;
  if (socket instanceof Socket) socket.setKeepAlive(true, probedSeconds * 1000);
}

function dueAt(connection: Connection): number {
  return connection.heardAt + Math.ceil(connection.keepAliveSeconds * 1.5) + 1;
}
