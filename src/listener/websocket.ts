import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Listener } from '../config/listener.ts';
import { tlsOptions } from './tcp.ts';

const subprotocols = ['mqtt', 'mqttv3.1'];

/**
 * MQTT over WebSocket [MQTT 5, 6]: subprotocol `mqtt`, binary frames, one path; anything else is answered with an HTTP error.
 */
export function makeWebSocketServer(
  listener: Listener,
  limits: { readonly handshakeMs: number; readonly maxPacketBytes: number },
  accept: (stream: Duplex, request: IncomingMessage) => void,
  onFailedHandshake: (kind: 'tls' | 'websocket') => void,
): Server {
  const { handshakeMs, maxPacketBytes } = limits;
  const patience = { headersTimeout: handshakeMs, requestTimeout: handshakeMs, connectionsCheckingInterval: Math.ceil(handshakeMs / 4) };
  const server =
    listener.tls === null ? createServer(patience) : createHttpsServer({ ...patience, ...tlsOptions(listener.tls), handshakeTimeout: handshakeMs });
  server.on('tlsClientError', () => {
    onFailedHandshake('tls');
  });
  server.on('request', (_request, response) => {
    onFailedHandshake('websocket');
    response.writeHead(426, { connection: 'close', 'content-type': 'text/plain' }).end('This is an MQTT over WebSocket endpoint.\n');
  });
  const sockets = new WebSocketServer({
    noServer: true,
    // one frame may hold several packets; the largest packet bounds what a peer can make us hold
    maxPayload: maxPacketBytes + 64 * 1024,
    perMessageDeflate: false,
    handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false,
  });
  // a header against the rules [RFC 6455, 4.2.2]
  sockets.on('wsClientError', (_error, socket) => {
    onFailedHandshake('websocket');
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\nsec-websocket-version: 13\r\n\r\n');
  });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    // the server does not listen for errors of a socket that it hands over
    socket.on('error', () => socket.destroy());
    if (request.url?.split('?', 1)[0] !== listener.path) {
      onFailedHandshake('websocket');
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      // a frame against the rules closes the connection; that is all
      webSocket.on('error', () => undefined);
      if (!subprotocols.includes(webSocket.protocol)) {
        onFailedHandshake('websocket');
        // [MQTT-6.0.0-3]: the client must offer it
        webSocket.close(1002, 'subprotocol mqtt is needed');
        return;
      }
      webSocket.on('message', (_data, isBinary) => {
        // [MQTT-6.0.0-1]
        if (!isBinary) webSocket.close(1003, 'MQTT is sent in binary frames');
      });
      accept(createWebSocketStream(webSocket, { decodeStrings: true }), request);
    });
  });
  return server;
}
