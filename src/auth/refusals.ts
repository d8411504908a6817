import type { Clock } from '../base/clock.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import { LogLimiter, type Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Visitor } from './identity.ts';

/** What a client is told: never which part was wrong. 0x86 cannot stand in a DISCONNECT, so exchanges, which may be repeated, say 0x87. */
const answers = {
  anonymous: ['not-authorized', 'a user name and a password are needed here'],
  'unknown-user': ['bad-credentials', 'user name or password is wrong'],
  'wrong-password': ['bad-credentials', 'user name or password is wrong'],
  'no-password': ['bad-credentials', 'user name or password is wrong'],
  'scram-unknown-user': ['not-authorized', 'the authentication failed'],
  'scram-wrong-proof': ['not-authorized', 'the authentication failed'],
  'scram-wrong-nonce': ['not-authorized', 'the authentication failed'],
  'scram-channel-binding': ['bad-authentication-method', 'channel binding is not offered here'],
  'other-user': ['not-authorized', 'another user cannot take over a connection'],
  'unknown-method': ['bad-authentication-method', 'this authentication method is not offered here [MQTT-4.12.0-1]'],
  'too-many-failures': ['rate-exceeded', 'too many attempts have failed: try again later'],
  'client-id': ['client-id-invalid', 'this user may not have this client identifier'],
  busy: ['server-busy', 'too many clients are being authenticated: try again later'],
} as const satisfies Record<string, readonly [ErrorCode, string]>;

export type RefusalReason = keyof typeof answers;

/** Counts and logs who was not let in, exactly, and makes what the client is told about it, in general words. */
export class Refusals {
  readonly #counted: { of(reason: RefusalReason): { value: number } };
  readonly #limiter = new LogLimiter(10_000);
  readonly #log: Logger;
  readonly #clock: Clock;

  constructor({ log, metrics, clock }: { log: Logger; metrics: Metrics; clock: Clock }) {
    this.#counted = metrics.counters('swarmq_auth_refused_total', 'Authentications that were refused, by reason', 'reason');
    this.#log = log;
    this.#clock = clock;
  }

  /** The error to throw. `username`: the one that the visitor claimed within an exchange. */
  refuse(reason: RefusalReason, visitor: Visitor, username = visitor.username): BrokerError {
    this.#note(reason, { client: visitor.clientId, user: username ?? undefined, address: visitor.address ?? undefined });
    const [code, text] = answers[reason];
    return new BrokerError(code, text);
  }

  #note(reason: RefusalReason, fields: object): void {
    this.#counted.of(reason).value++;
    const held = this.#limiter.pass(reason, this.#clock.monotonic());
    if (held < 0) return;
    this.#log.warn({ ...fields, reason, ...(held > 0 ? { heldBackLines: held } : {}) }, 'a client was not authenticated');
  }
}
