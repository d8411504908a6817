import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { BrokerError } from '../base/errors.ts';
import type { Listener, ListenerTls } from '../config/listener.ts';

/** The least version of TLS that is spoken. */
const minVersion = 'TLSv1.2';

/** A TCP or TLS server that hands each connection, after its handshake in `handshakeMs`, to `accept`. */
export function makeTcpServer(listener: Listener, handshakeMs: number, accept: (socket: Socket) => void, onFailedHandshake: () => void): Server {
  const options = { noDelay: true };
  if (listener.tls === null) return createServer(options, accept);
  const server = createTlsServer({ ...options, ...tlsOptions(listener.tls), ALPNProtocols: ['mqtt'], handshakeTimeout: handshakeMs }, accept);
  // a handshake that fails is the peer's affair; it must not end the process
  server.on('tlsClientError', (_error, socket) => {
    onFailedHandshake();
    socket.destroy();
  });
  return server;
}

/** Reads the files. Rejects with `config-invalid` naming the file that cannot be read. */
export function tlsOptions(tls: ListenerTls): TlsOptions {
  return {
    cert: readPem(tls.certFile),
    key: readPem(tls.keyFile),
    ...(tls.caFile === null ? {} : { ca: readPem(tls.caFile) }),
    requestCert: tls.requestCertificate,
    rejectUnauthorized: tls.requestCertificate,
    minVersion,
  };
}

/** Begins to listen; gives the port. Rejects with `config-invalid` when the address cannot be had. */
export function listen(server: Server, listener: Listener): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new BrokerError('config-invalid', `cannot listen on ${listener.url}: ${error.message}`, error));
    });
    server.listen({ host: listener.host, port: listener.port, exclusive: listener.exclusive, backlog: 4096 }, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new BrokerError('config-invalid', `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}
