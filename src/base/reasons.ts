import type { ErrorCode } from './errors.ts';

/**
 * What each error looks like to a peer: the MQTT 5 reason code [MQTT 5, 2.4], the MQTT 3 CONNACK return code
 * [MQTT 3.1.1, 3.2.2.3] and the HTTP status. `v3: 0` means MQTT 3 has no word for it: the connection is closed.
 */
export interface Reason {
  readonly v5: number;
  readonly v3: number;
  readonly http: number;
}

export const reasons: Readonly<Record<ErrorCode, Reason>> = {
  'malformed-packet': { v5: 0x81, v3: 0, http: 400 },
  'protocol-error': { v5: 0x82, v3: 0, http: 400 },
  'unsupported-protocol': { v5: 0x84, v3: 1, http: 400 },
  'invalid-utf8': { v5: 0x81, v3: 0, http: 400 },
  'packet-too-large': { v5: 0x95, v3: 0, http: 413 },
  'topic-name-invalid': { v5: 0x90, v3: 0, http: 400 },
  'topic-filter-invalid': { v5: 0x8f, v3: 0, http: 400 },
  'topic-alias-invalid': { v5: 0x94, v3: 0, http: 400 },
  'receive-maximum-exceeded': { v5: 0x93, v3: 0, http: 429 },
  'payload-format-invalid': { v5: 0x99, v3: 0, http: 400 },
  'client-id-invalid': { v5: 0x85, v3: 2, http: 400 },
  'qos-not-supported': { v5: 0x9b, v3: 0, http: 400 },
  'retain-not-supported': { v5: 0x9a, v3: 0, http: 400 },
  'shared-not-supported': { v5: 0x9e, v3: 0, http: 400 },
  'subscription-ids-not-supported': { v5: 0xa1, v3: 0, http: 400 },
  'wildcard-not-supported': { v5: 0xa2, v3: 0, http: 400 },
  'bad-credentials': { v5: 0x86, v3: 4, http: 401 },
  'not-authorized': { v5: 0x87, v3: 5, http: 403 },
  'bad-authentication-method': { v5: 0x8c, v3: 5, http: 401 },
  banned: { v5: 0x8a, v3: 5, http: 403 },
  'connect-timeout': { v5: 0x87, v3: 0, http: 408 },
  'keep-alive-timeout': { v5: 0x8d, v3: 0, http: 408 },
  'quota-exceeded': { v5: 0x97, v3: 3, http: 429 },
  'rate-exceeded': { v5: 0x96, v3: 3, http: 429 },
  'server-busy': { v5: 0x89, v3: 3, http: 503 },
  'server-unavailable': { v5: 0x88, v3: 3, http: 503 },
  'server-moved': { v5: 0x9d, v3: 3, http: 421 },
  'store-unavailable': { v5: 0x88, v3: 3, http: 503 },
  'outbox-full': { v5: 0x97, v3: 3, http: 503 },
  'taken-over': { v5: 0x8e, v3: 0, http: 409 },
  fenced: { v5: 0x8b, v3: 3, http: 409 },
  'node-draining': { v5: 0x8b, v3: 3, http: 503 },
  kicked: { v5: 0x98, v3: 0, http: 409 },
  'connection-lost': { v5: 0x80, v3: 0, http: 500 },
  'config-invalid': { v5: 0x83, v3: 3, http: 422 },
  'script-mismatch': { v5: 0x80, v3: 3, http: 500 },
  'store-corrupt': { v5: 0x80, v3: 3, http: 500 },
  'kafka-failed': { v5: 0x80, v3: 3, http: 502 },
  internal: { v5: 0x80, v3: 3, http: 500 },
};
