import type { Server, Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import { listenerUrl, type Listener } from '../config/listener.ts';
import type { Engine } from '../engine/engine.ts';
import { listen, makeTcpServer } from './tcp.ts';
import { makeWebSocketServer } from './websocket.ts';

/** How many connections over the limit of a node may stand until they are sent elsewhere. */
const toldAtOnce = 100;

/** The doors through which clients come. */
export interface Listeners {
  /** where clients can connect, with the ports that were really taken */
  readonly addresses: readonly string[];
  /** Takes no new connections; those that are there stay. */
  close(): void;
}

/** Opens all listeners of the configuration, or none: when one cannot be opened the others are closed again. */
export async function openListeners(config: Config, engine: Engine): Promise<Listeners> {
  const servers: Server[] = [];
  const close = (): void => {
    for (const server of servers) server.close();
  };
  const addresses: string[] = [];
  try {
    for (const listener of config.listeners) {
      const server = makeServer(listener, config, engine);
      servers.push(server);
      const port = await listen(server, listener);
      server.on('error', (error) => {
        engine.logLimited('accept', error, 'a connection could not be accepted', { listener: listener.url });
      });
      addresses.push(listenerUrl(listener.scheme, listener.host, port, listener.path));
    }
  } catch (error) {
    close();
    throw error;
  }
  return { addresses, close };
}

function makeServer(listener: Listener, config: Config, engine: Engine): Server {
  let open = 0;
  // a few more are let in when they can be told where to go instead
  const most = config.mqtt.maxConnections + (config.redirect.temporary === null ? 0 : toldAtOnce);
  /** Whether there is room; a connection over a limit is closed before anything is spent on it. */
  const admit = (socket: { destroy(): unknown; once(event: 'close', done: () => void): unknown }): boolean => {
    const isFull = (listener.maxConnections > 0 && open >= listener.maxConnections) || engine.connections.size >= most;
    if (isFull) {
      engine.count.closed.of('quota-exceeded').value++;
      socket.destroy();
      return false;
    }
    open++;
    socket.once('close', () => open--);
    return true;
  };
  const countFailed = (kind: 'tls' | 'websocket'): void => {
    engine.count.handshakesFailed.of(kind).value++;
  };
  const { connectTimeoutMs: handshakeMs, maxPacketBytes } = config.mqtt;
  if (listener.scheme === 'ws' || listener.scheme === 'wss') {
    return makeWebSocketServer(
      listener,
      { handshakeMs, maxPacketBytes },
      (stream, request) => {
        if (admit(stream)) engine.accept(stream, false, request);
      },
      countFailed,
    );
  }
  const isPlain = listener.scheme === 'mqtt';
  return makeTcpServer(
    listener,
    handshakeMs,
    (socket: Socket) => {
      if (admit(socket)) engine.accept(socket, isPlain);
    },
    () => {
      countFailed('tls');
    },
  );
}
