/**
 * The closed table of what can go wrong, and the one error class that carries it.
 *
 * `kind` decides what happens next:
 *   refused  the peer's fault: answer it and go on
 *   busy     try again later: back-pressure, a limit, Redis away
 *   lost     we no longer own this (session, lease): stop using it
 *   fault    ours: log, count, answer in general words
 */
export type ErrorKind = 'refused' | 'busy' | 'lost' | 'fault';

export const errorKinds = {
  // what a peer sent
  'malformed-packet': 'refused',
  'protocol-error': 'refused',
  'unsupported-protocol': 'refused',
  'invalid-utf8': 'refused',
  'packet-too-large': 'refused',
  'topic-name-invalid': 'refused',
  'topic-filter-invalid': 'refused',
  'topic-alias-invalid': 'refused',
  'receive-maximum-exceeded': 'refused',
  'payload-format-invalid': 'refused',
  'client-id-invalid': 'refused',
  'qos-not-supported': 'refused',
  'retain-not-supported': 'refused',
  'shared-not-supported': 'refused',
  'subscription-ids-not-supported': 'refused',
  'wildcard-not-supported': 'refused',
  // who may
  'bad-credentials': 'refused',
  'not-authorized': 'refused',
  'bad-authentication-method': 'refused',
  banned: 'refused',
  // how much
  'connect-timeout': 'refused',
  'keep-alive-timeout': 'refused',
  'quota-exceeded': 'busy',
  'rate-exceeded': 'busy',
  'server-busy': 'busy',
  'server-unavailable': 'busy',
  'server-moved': 'busy',
  'store-unavailable': 'busy',
  'outbox-full': 'busy',
  // whose
  'taken-over': 'lost',
  fenced: 'lost',
  'node-draining': 'lost',
  kicked: 'lost',
  // ours
  'connection-lost': 'fault',
  'config-invalid': 'fault',
  'script-mismatch': 'fault',
  'store-corrupt': 'fault',
  'kafka-failed': 'fault',
  internal: 'fault',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** Every error Swarmq raises on purpose. The message names what was wrong, where, and what to do. */
export class BrokerError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'BrokerError';
    this.code = code;
    this.kind = errorKinds[code];
  }
}

/** What was thrown, as a BrokerError: anything foreign becomes `internal`. */
export function asBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new BrokerError('internal', text, error);
}
