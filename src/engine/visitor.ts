import { Socket } from 'node:net';
import { TLSSocket, type PeerCertificate } from 'node:tls';
import type { Certificate, Visitor } from '../auth/identity.ts';
import type { Connect } from '../codec/connect.ts';
import type { Connection } from './connection.ts';

/** What a connection and its CONNECT tell about who is there; `connect` null: it is connected already. */
export function visitorOf(connection: Connection, connect: Connect | null): Visitor {
  const { clientId, hasAssignedId, stream, request } = connection;
  const socket = request?.socket ?? stream;
  return {
    clientId,
    hasAssignedId,
    username: connect?.username ?? null,
    password: connect?.password ?? null,
    address: socket instanceof Socket ? (socket.remoteAddress ?? null) : null,
    certificate: () => (socket instanceof TLSSocket && socket.authorized ? read(socket.getPeerCertificate()) : null),
    isGone: () => connection.state === 'closed',
  };
}

function read({ subject, subjectaltname, serialNumber, fingerprint256 }: PeerCertificate): Certificate | null {
  // an empty object where the client has shown none, whatever the types say
  if ((fingerprint256 as string | undefined) === undefined) return null;
  const names = alternativeNames(subjectaltname ?? '');
  const cn: unknown = subject.CN;
  return {
    // several common names are no name
    cn: typeof cn === 'string' ? cn : null,
    dns: names.get('DNS') ?? null,
    uri: names.get('URI') ?? null,
    email: names.get('email') ?? null,
    serial: serialNumber,
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** The first of each kind. The runtime writes `DNS:a, URI:b`, and names with unusual characters as JSON, so that none can pass for two. */
function alternativeNames(text: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const [, kind = '', plain, quoted] of text.matchAll(/(?:^|, )([A-Za-z ]+):(?:([^",][^,]*)|("(?:[^"\\]|\\.)*"))/g)) {
    const name = quoted === undefined ? plain : (JSON.parse(quoted) as string);
    if (name !== undefined && !names.has(kind)) names.set(kind, name);
  }
  return names;
}
