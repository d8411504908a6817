import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { hasAuthentication } from '../config/check.ts';
import type { Config } from '../config/schema.ts';
import { AccessList } from './access-list.ts';
import { Attempts } from './attempts.ts';
import type { Authenticator } from './authenticator.ts';
import type { Exchange } from './exchange.ts';
import { CertificateUsers } from './certificate-users.ts';
import { HashQueue } from './hash-queue.ts';
import { anonymous, type Identity, type Visitor } from './identity.ts';
import { PasswordFile } from './password-file.ts';
import { Refusals } from './refusals.ts';
import { fits } from './rule.ts';

/** How the parts are put together. */
interface Parts {
  readonly ways: readonly Authenticator[];
  readonly allowsAnonymous: boolean;
  /** of the client ids that a user may have, with `*` and `${username}`; null: any */
  readonly clientIds: string | null;
  readonly list: AccessList | null;
  readonly refusals: Refusals;
}

interface Tools {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Who may come in, by the ways that are configured, asked in a row; and what they may do, by the access list. */
export class Access {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** null: whoever is let in may do everything */
  get list(): AccessList | null {
    return this.#parts.list;
  }

  /** Who it is; without a promise when that is known at once. Refuses with `bad-credentials`, `not-authorized` or `server-busy`. */
  authenticate(visitor: Visitor): Identity | Promise<Identity> {
    return this.#ask(visitor, 0);
  }

  /** Begins an exchange. Refuses with `bad-authentication-method` when no way speaks this one. */
  exchange(method: string, visitor: Visitor): Exchange {
    for (const way of this.#parts.ways) {
      const exchange = way.exchange(method, visitor);
      if (exchange !== null) return exchange;
    }
    throw this.#parts.refusals.refuse('unknown-method', visitor);
  }

  /** What to throw when a connection authenticates again, as somebody else. */
  refuseOther(visitor: Visitor, username: string | null): Error {
    return this.#parts.refusals.refuse('other-user', visitor, username);
  }

  /** That the user may have this client id, and with it whatever session there is of that name. Refuses with `client-id-invalid`. */
  checkClientId(visitor: Visitor, { username }: Identity): void {
    const { clientIds, refusals } = this.#parts;
    if (clientIds === null || visitor.hasAssignedId) return;
    const pattern = fillInName(clientIds, username);
    if (pattern === null || !fits({ pattern }, visitor.clientId)) throw refusals.refuse('client-id', visitor, username);
  }

  close(): void {
    for (const way of this.#parts.ways) way.close();
    this.#parts.list?.close();
  }

  #ask(visitor: Visitor, from: number): Identity | Promise<Identity> {
    const { ways, allowsAnonymous, refusals } = this.#parts;
    for (let i = from; i < ways.length; i++) {
      const answer = ways[i]?.authenticate(visitor) ?? null;
      if (answer instanceof Promise) return answer.then((identity) => identity ?? this.#ask(visitor, i + 1));
      if (answer !== null) return answer;
    }
    // where nobody is asked, a user name is a claim and no identity
    if (ways.length === 0 || (visitor.username === null && allowsAnonymous)) return anonymous;
    throw refusals.refuse('anonymous', visitor);
  }
}

/** Null when nothing of it is configured: then nobody is asked. Rejects with `config-invalid` for files that cannot be read. */
export async function openAccess({ auth, allowAnonymous }: Config, tools: Tools): Promise<Access | null> {
  const { passwordFile, certificateUser, aclFile } = auth;
  if (!hasAuthentication(auth) && aclFile === null) return null;
  const refusals = new Refusals(tools);
  const hashes = new HashQueue(auth.hashesAtOnce, auth.maxWaitingHashes, tools.metrics);
  const ways: Authenticator[] = [];
  if (certificateUser !== null) ways.push(new CertificateUsers(certificateUser));
  if (passwordFile !== null) ways.push(await PasswordFile.open(passwordFile, { ...tools, attempts: new Attempts(auth.failures, tools.clock), hashes, refusals }));
  const list = aclFile === null ? null : await AccessList.open(aclFile, auth.noMatch === 'allow', tools);
  return new Access({ ways, allowsAnonymous: allowAnonymous, clientIds: auth.clientIds, list, refusals });
}

const namePlace = '${username}';

/** The pattern with the name in it; null when it has none to put there, or one that would be a pattern itself. */
function fillInName(pattern: string, username: string | null): string | null {
  if (!pattern.includes(namePlace)) return pattern;
  return username === null || username === '' || username.includes('*') ? null : pattern.replaceAll(namePlace, () => username);
}
